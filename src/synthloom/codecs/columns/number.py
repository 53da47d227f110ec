"""Numbers: integers, decimals, floats, Python Decimals; also text that is plainly a number with a few odd marks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch

from synthloom.codecs.columns.base import Cells, Column, Encoded, Options, example
from synthloom.codecs.columns.scales import SCALES, Scale, load_scale, reach
from synthloom.codecs.columns.ticks import distance, middle, restore
from synthloom.errors import DataError, UsageError
from synthloom.schema import Field
from synthloom.spec import Limit

__all__ = ["NumberColumn", "is_written_number", "split"]

_EXACT = 2.0**53
"""The largest whole number up to which float64 knows every one."""
_DUST = 1e-290
"""What is smaller than this, where the largest is about 1, counts as 0: between finer numbers slopes overflow."""


@dataclass(frozen=True)
class NumberColumn(Column):
    """Cells and positions by a scale; then the values that are no numbers to reckon with: infinities, odd marks.

    What the scale sees is exact wherever it can be: the distance of an integer from `origin`, a decimal as a whole
    number of its last place, and a float divided by 2 ** `exponent`, which keeps all of its digits.
    """

    type: ClassVar[str] = "number"

    scale: Scale | None  # None if every value is odd
    odd: list[str]  # choices after the scale's own: "inf", "-inf", or a mark such as " " or "?"
    form: str  # how values leave: as "number", "int" or "Decimal" objects, "fixed" or "trimmed" text
    kind: str  # numpy kind of the numbers: i, u, f
    decimals: int | None  # how many are written; None for all there are
    whole: bool  # whether the scale sees whole numbers
    origin: int
    exponent: int

    @classmethod
    def detect(cls, cells: Cells, field: Field) -> dict[str, Any] | None:
        asked = field.type == cls.type
        form = _form(cells, asked)
        if form is None:
            return None
        hint = field.facts.get("decimals", ...)
        if not (hint is ... or hint is None or (type(hint) is int and 0 <= hint <= 300)):
            raise UsageError(f"decimals of column {field.name!r} must be a whole number or None, however: {hint!r}")
        if form != "text":
            return {"decimals": _decimals(cells.present, form) if hint is ... else hint, "form": form}
        number, _ = split(cells.distinct, form)
        written = cells.distinct[number.index]
        decimals = max(len(text.partition(".")[2]) for text in written) if hint is ... else hint
        if (number.map(_trimmed) == written).all():
            return {"decimals": decimals, "form": "trimmed"}
        steady = decimals is not None and (number.map(f"{{:.{decimals}f}}".format) == written).all()
        return {"decimals": decimals, "form": "fixed"} if asked or steady else None

    @classmethod
    def fit(cls, present: pd.Series, field: Field, options: Options, rng: np.random.Generator) -> Self:
        form, decimals = str(field.facts["form"]), field.facts["decimals"]
        number, odd = split(present, form)
        kind = number.dtype.kind
        marks = odd.value_counts().sort_index().sort_values(ascending=False, kind="stable")
        odds = [str(mark) for mark, count in marks.items() if count >= options.fewest]
        if len(number) < options.fewest:  # the rest being odd
            return cls(None, odds, form, kind, decimals, False, 0, 0)
        origin, exponent, whole = 0, 0, True
        if kind in "iu":
            origin = middle(number.to_numpy(), options)
        else:
            largest = max(map(abs, reach(number.to_numpy(), options)))
            whole = decimals is not None and largest * 10.0**decimals < _EXACT
            exponent = 0 if whole else int(np.frexp(largest)[1])
        bare = cls(None, odds, form, kind, decimals, whole, origin, exponent)
        scale = SCALES[options.numbers].fit(bare.lay(number.to_numpy()), whole, options, rng)
        return cls(scale, odds, form, kind, decimals, whole, origin, exponent)

    @property
    def choices(self) -> int:
        return self._own + len(self.odd)

    @property
    def numbered(self) -> int:
        return self.scale.cells if self.scale else 0

    @property
    def _own(self) -> int:
        return self.scale.choices if self.scale else 0

    def encode(self, present: pd.Series, rng: np.random.Generator, *, strict: bool) -> Encoded:
        number, odd = split(present, self.form)
        choice = np.full(len(present), -1, np.int64)
        value = np.zeros(len(present), np.float32)
        if self.scale and len(number):
            x = self.lay(number.to_numpy())
            half = 0.5 if self.whole else 0.0
            if strict and ((x < self.scale.low - half) | (x > self.scale.high + half)).any():
                low, high = self._leave(np.array([self.scale.low, self.scale.high]))
                raise DataError(f"a value of column {present.name!r} must lie between {low} and {high}")
            at = present.index.get_indexer(number.index)
            choice[at], value[at] = self.scale.encode(x, rng)
        if len(odd):
            place = odd.map({mark: self._own + i for i, mark in enumerate(self.odd)}).fillna(-1)
            choice[present.index.get_indexer(odd.index)] = place.astype(np.int64)
        if strict and (choice < 0).any():
            wrong = example(present, choice < 0)
            raise DataError(f"a value of column {present.name!r} must be one that the model knows, however: {wrong}")
        return Encoded(np.maximum(choice, 0), value, choice >= 0)

    def decode(self, choice: np.ndarray, value: np.ndarray, row: np.ndarray, seed: int) -> np.ndarray:
        own = choice < self._own
        if own.all() and self.scale:
            return self._leave(self.scale.decode(choice, value))
        out = np.zeros(len(choice), dtype=np.float64 if self.form == "number" else object)
        if self.scale:
            out[own] = self._leave(self.scale.decode(choice[own], value[own]))
        marks: list[Any] = self.odd or ["nan"]
        if self.form in ("number", "int", "Decimal"):
            marks = [Decimal(mark) if self.form == "Decimal" else float(mark) for mark in marks]
        out[~own] = np.array(marks, out.dtype)[np.maximum(choice[~own] - self._own, 0)]
        return out

    def between(self, low: pd.Series, high: pd.Series, *, beyond: bool = False) -> Limit:
        low_x, high_x = self._end(low, -np.inf, beyond), self._end(high, np.inf, beyond)
        marks = np.array([float(mark) if mark in ("inf", "-inf") else np.nan for mark in self.odd])
        odd_BM = (self._exact(low, -np.inf)[:, None] <= marks) & (marks <= self._exact(high, np.inf)[:, None])
        limit = self.scale.between(low_x, high_x) if self.scale else Limit.of(torch.zeros(len(low), 0) > 0)
        return replace(limit, open_BK=torch.cat([limit.open_BK, torch.from_numpy(odd_BM)], 1))

    def among(self, values: pd.Series) -> Limit:
        whole = super().among(values)
        number = pd.to_numeric(values.astype(object), errors="coerce").replace([np.inf, -np.inf], np.nan).dropna()
        limit = self.between(number, number).merged()
        odd_1K = whole.open_BK & (torch.arange(self.choices) >= self._own)
        return replace(limit, open_BK=limit.open_BK | odd_1K)

    def measure(self, present: pd.Series) -> pd.Series:
        plain = present.dtype.kind in "iuf" and isinstance(present.dtype, np.dtype)
        return present if plain else pd.to_numeric(present.astype(object), errors="coerce")

    def best(self, cells: pd.Series, draws: int) -> np.ndarray | pd.Categorical:
        """... The mean of those that are numbers to reckon with."""
        number = self.measure(cells).replace([np.inf, -np.inf], np.nan).to_numpy(np.float64).reshape(-1, draws)
        if np.isnan(number).all(1).any() or self.scale is None:
            return super().best(cells, draws)
        x = self._exact(pd.Series(np.nanmean(number, axis=1)), np.nan)
        return self._leave(np.rint(x) if self.whole else x)

    def end(self, end: pd.Series, *, last: bool) -> pd.Series:
        return pd.to_numeric(end.astype(object), errors="raise").astype(np.float64)

    def state(self) -> dict[str, Any]:
        return super().state() | {"scale": self.scale.state() if self.scale else None}

    @classmethod
    def load(cls, state: dict[str, Any]) -> Self:
        return cls(**state | {"scale": load_scale(state["scale"]) if state["scale"] else None})

    def lay(self, number: np.ndarray) -> np.ndarray:
        """Numbers as the scale sees them."""
        if self.kind in "iu":
            if number.dtype.kind == "f":  # integers beside a gap, or fractions where integers are wanted
                return np.asarray(np.rint(number) - self.origin)
            return distance(number, self.origin)
        if self.whole:
            return np.asarray(np.rint(number.astype(np.float64) * 10.0 ** (self.decimals or 0)))
        with np.errstate(over="ignore"):  # far beyond what may be given out
            x = np.ldexp(number.astype(np.float64), -self.exponent)
        return np.where(np.abs(x) < _DUST, 0.0, x)

    def _exact(self, number: pd.Series, none: float) -> np.ndarray:
        """Numbers as `_lay` gives them, but not rounded; a missing one as `none`."""
        x = self.end(number, last=False).to_numpy()
        if self.kind in "iu":
            x = x - self.origin
        else:
            x = x * 10.0 ** (self.decimals or 0) if self.whole else np.ldexp(x, -self.exponent)
        return np.where(np.isnan(x), none, x)

    def _end(self, end: pd.Series, none: float, beyond: bool) -> np.ndarray:
        """One end of ranges, taken to the next value inside."""
        x, inward = self._exact(end, none), -np.sign(none)
        if not self.whole:
            return np.nextafter(x, inward * np.inf) if beyond else x
        near = np.rint(x)
        on_value = np.isclose(x, near, rtol=0, atol=1e-6)
        return np.asarray(np.where(on_value, near + inward * beyond, np.ceil(x) if inward > 0 else np.floor(x)))

    def _leave(self, x: np.ndarray) -> np.ndarray:
        """What the scale sees, back to values of the form in which the column came."""
        if self.kind in "iu":
            number = restore(x, self.origin, np.int64 if self.kind == "i" else np.uint64)
            return number.astype(object) if self.form == "int" else number
        # adding 0 turns -0 into 0
        whole = (np.rint(x) + 0.0) / 10.0 ** (self.decimals or 0)
        number = np.asarray(whole if self.whole else np.ldexp(x, self.exponent))
        if self.form == "number":
            return number
        made = np.empty(len(number), dtype=object)
        made[:] = [self._write(v) for v in number.tolist()]
        return made

    def _write(self, number: float) -> Any:
        if self.form == "int":
            return int(number)
        if self.form == "trimmed":
            return _trimmed(number)
        text = repr(number) if self.decimals is None else f"{number:.{self.decimals}f}"
        return Decimal(text) if self.form == "Decimal" else text


def _form(cells: Cells, asked: bool) -> str | None:
    dtype = cells.present.dtype
    if pd.api.types.is_bool_dtype(dtype) or isinstance(dtype, pd.CategoricalDtype):
        return None
    if pd.api.types.is_numeric_dtype(dtype):
        return "Decimal" if isinstance(dtype, pd.ArrowDtype) and dtype.type is Decimal else "number"
    if dtype.kind == "O" and cells.kinds and not any(issubclass(kind, (bool, str)) for kind in cells.kinds):
        if cells.kinds == {Decimal}:
            return "Decimal"
        if all(issubclass(kind, (int, np.integer)) for kind in cells.kinds):
            return "int"
        if all(issubclass(kind, (int, float, np.integer, np.floating)) for kind in cells.kinds):
            return "number"
    if cells.is_text and (len(split(cells.distinct, "text")[0]) if asked else is_written_number(cells)):
        return "text"
    return None


def is_written_number(cells: Cells) -> bool:
    """Whether text is plainly numbers: nearly all of it reads as one, with at most a few odd marks between.

    Only with a decimal point somewhere: whole numbers in text are more often codes.
    """
    head = cells.distinct.head(100)
    if len(cells) < 20 or len(split(head, "text")[0]) < 0.5 * len(head):
        return False
    number, odd = split(cells.distinct, "text")
    odd_rows = int(cells.counts.iloc[odd.index].sum())
    if odd_rows > 0.1 * len(cells) or len(odd) > 3:
        return False
    return any("." in text for text in cells.distinct[number.index])


def split(present: pd.Series, form: str) -> tuple[pd.Series, pd.Series]:
    """Numbers to reckon with (int64, uint64 or float64), and the odd ones as words."""
    if form in ("text", "fixed", "trimmed"):
        text = pd.Series([str(cell) for cell in present], present.index, dtype=object)
        plain = text.str.fullmatch(r"-?(0|[1-9]\d{0,14})(\.\d{1,9})?").to_numpy(bool)
        return text[plain].astype(np.float64), text[~plain]
    number = pd.Series(_as_numbers(present), present.index)
    finite = np.isfinite(number.to_numpy())
    return number[finite], number[~finite].map(str).astype(object)


def _as_numbers(present: pd.Series) -> np.ndarray:
    dtype = present.dtype
    if pd.api.types.is_integer_dtype(dtype):
        return np.asarray(present.to_numpy(np.uint64 if dtype.kind == "u" else np.int64))
    if pd.api.types.is_float_dtype(dtype):
        return np.asarray(present.to_numpy(np.float64))
    cells = present.to_numpy(object)
    if all(isinstance(cell, (int, np.integer)) for cell in cells):
        low, high = min(map(int, cells), default=0), max(map(int, cells), default=0)
        if low >= -(2**63) and high < 2**63:
            return np.asarray(cells.astype(np.int64))
        if low >= 0 and high < 2**64:
            return np.asarray(cells.astype(np.uint64))
    return np.array([_as_float(cell) for cell in cells], np.float64)


def _as_float(cell: Any) -> float:
    try:
        return float(cell)
    except OverflowError:  # an integer beyond 1e308
        return float("inf") if cell > 0 else float("-inf")


def _decimals(present: pd.Series, form: str) -> int | None:
    """The fewest decimals that write every value exactly, up to 6; None for true floats."""
    if form == "Decimal":
        exponents = [e for cell in present if isinstance(e := cell.as_tuple().exponent, int)]
        return max(0, -min(exponents, default=0)) if min(exponents, default=0) >= -300 else None
    number = split(present, form)[0].to_numpy()
    if number.dtype.kind in "iu":
        return 0
    narrow = {2: np.float16, 4: np.float32}.get(present.dtype.itemsize, np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        for decimals in range(7):
            exact = np.abs(number) < _EXACT / 10.0**decimals
            if (exact & (np.round(number, decimals).astype(narrow) == number)).all():
                return decimals
    return None


def _trimmed(value: float) -> str:
    return str(np.format_float_positional(value, trim="-"))
