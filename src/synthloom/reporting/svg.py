"""Small drawings in SVG: elements whose text is always text, scales, and ticks at round places."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup, escape

__all__ = ["Axis", "drawing", "hover", "short", "tag", "ticks"]


def tag(name: str, *children: Any, **attributes: Any) -> Markup:
    """An element; `class_` is class, `font_size` is font-size, and what is None is left out.

    >>> tag("text", "1 < 2", x=1.25, class_="small")
    Markup('<text x="1.2" class="small">1 &lt; 2</text>')
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_number(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(str(escape(child)) for child in children if child is not None)
    return Markup(f"<{name}{written}>{inside}</{name}>" if inside else f"<{name}{written}/>")


def _number(value: Any) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)


def drawing(title: str, about: str, width: float, height: float, *children: Any, class_: str = "figure") -> Markup:
    """A whole picture. Who cannot see it hears the title and what it is about."""
    return tag(
        "svg",
        tag("title", title),
        tag("desc", about),
        *children,
        viewBox=f"0 0 {_number(float(width))} {_number(float(height))}",
        width=round(1.4 * width),  # at most: no style attribute, which a strict page would not heed
        role="img",
        class_=class_,
    )


def hover(words: str, *children: Any, **attributes: Any) -> Markup:
    """A part of a picture that says its numbers when pointed at."""
    return tag("g", tag("title", words), *children, **attributes)


def short(text: Any, letters: int) -> str:
    """At most so many letters.

    >>> short("occupation", 6)
    'occup…'
    """
    words = " ".join(str(text).split())
    return words if len(words) <= letters else words[: letters - 1] + "…"


@dataclass(frozen=True)
class Axis:
    """From numbers between low and high to places between start and stop; beyond them, to the nearer end."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = (math.log(x) if self.log else x for x in (self.low, self.high, max(value, self._least)))
        share = (at - low) / (high - low) if high > low else 0.5
        return self.start + min(max(share, 0.0), 1.0) * (self.stop - self.start)

    @property
    def _least(self) -> float:
        return self.low if self.log else -math.inf


def ticks(axis: Axis, type_: str = "number", most: int = 5) -> list[tuple[float, str]]:
    """Round places on an axis, and what to write there.

    >>> [text for _, text in ticks(Axis(0, 1000, 0, 1))]
    ['0', '200', '400', '600', '800', '1k']
    >>> [text for _, text in ticks(Axis(3, 40_000, 0, 1, log=True))]
    ['10', '100', '1k', '10k']
    """
    if type_ == "datetime":
        return _moments(axis, most)
    if axis.log:
        powers = range(math.ceil(math.log10(axis.low)), math.floor(math.log10(axis.high)) + 1)
        places = (
            [10.0**p for p in powers]
            if len(powers) > 1
            else [m * 10.0**p for p in range(powers.start - 1, powers.stop + 1) for m in (1, 2, 5)]
        )
        places = [x for x in places if axis.low <= x <= axis.high]
        return [(x, _brief(x)) for x in places[:: math.ceil(len(places) / most)]] if places else []
    step = _round_up((axis.high - axis.low) / most)
    first = math.ceil(axis.low / step - 1e-9)
    places = [i * step for i in range(first, math.floor(axis.high / step + 1e-9) + 1)]
    return [(x, _brief(x)) for x in places]


def _round_up(step: float) -> float:
    if not step > 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(step))
    return power * next(m for m in (1, 2, 5, 10) if m * power >= step * (1 - 1e-9))


def _brief(value: float) -> str:
    """
    >>> _brief(1_500_000), _brief(0.25), _brief(-20_000)
    ('1.5M', '0.25', '-20k')
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size <= abs(value) < 1_000 * size:
            return f"{value / size:.4g}{letter}"
    return f"{value:.4g}"


def _moments(axis: Axis, most: int) -> list[tuple[float, str]]:
    """The starts of years, months, days, hours or minutes, whichever are few enough."""
    low, high = (np.datetime64(int(x), "us") for x in (axis.low, axis.high))
    for unit, steps in (("m", (1, 5, 15, 30)), ("h", (1, 3, 6, 12)), ("D", (1, 2, 7, 14)), ("M", (1, 2, 3, 6))):
        for step in steps:
            places = _starts(low, high, unit, step)
            if len(places) <= most:
                return [(_microseconds(x), str(x)[-5:] if unit in "mh" else str(x)) for x in places]
    step = max(1, int(_round_up((axis.high - axis.low) / (365.25 * 86_400e6 * most))))
    return [(_microseconds(x), str(x)) for x in _starts(low, high, "Y", step)]


def _starts(low: np.datetime64, high: np.datetime64, unit: str, step: int) -> Sequence[Any]:
    first, last = (x.astype(f"datetime64[{unit}]").astype(np.int64) for x in (low, high))
    if last - first > 100 * step:
        return range(10**6)  # far too many to be made
    start = first - (first + 1970) % step if unit == "Y" else first - first % step
    numbers = np.arange(start, last + 1, step)
    moments = numbers.astype(f"datetime64[{unit}]")
    return [x for x in moments if low <= x <= high]


def _microseconds(moment: np.datetime64) -> float:
    return float(moment.astype("datetime64[us]").astype(np.int64))
