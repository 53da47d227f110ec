"""Identifiers: made anew in the old shape, unique where they were, and never one of the real ones.

Whole numbers count on from the start of a wide stretch that holds no real one. Text of one shape (length and
punctuation) is the points of a box: so many possible characters in each place. A keyed permutation scatters the box,
and new text comes from a stretch of the scattered box that holds no real one, in order of the row number. So new
identifiers cannot meet real ones or each other, however many machines make them, and the model keeps no list of the
real ones: only where an empty stretch begins, some way off from the real ones at its ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from synthloom import rng as seeds
from synthloom.codecs.columns.base import RARE, Cells, Column, Options, tell_apart
from synthloom.codecs.columns.number import is_written_number
from synthloom.errors import DataError
from synthloom.schema import Field

__all__ = ["IdentifierColumn", "scatter", "unscatter"]

_DIGIT, _LOWER, _UPPER = "0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CLASSES = [
    _DIGIT[1:],
    _DIGIT,
    _LOWER,
    _UPPER,
    _LOWER + _UPPER,
    _DIGIT + "abcdef",
    _DIGIT + "ABCDEF",
    _DIGIT + _LOWER,
    _DIGIT + _UPPER,
    _DIGIT + _LOWER + _UPPER,
]
_OUTLINE = {ord(letter): "a" for letter in _CLASSES[-1]}
_NAMES = re.compile(r"(^|[^a-z])(id|ids|uid|guid|uuid|key|nr|nbr|no|ref)$|[a-z](Id|ID|Key|Nr|No)$|^id[A-Z_]")
_ROOM = 2
"""An empty stretch must hold so many times as many identifiers as there are real ones."""
_SHAPES = 100
"""The most shapes of text that are remembered, the commonest."""


@dataclass(frozen=True)
class IdentifierColumn(Column):
    """Says nothing to the network; decoding depends on the row number, and on the seed for which ones come again."""

    type: ClassVar[str] = "identifier"

    distinct: float  # distinct values per row
    keys: list[int]  # of the permutation
    stretches: list[list[int]]  # of whole numbers: [start, room], filled one after the other
    shapes: list[dict[str, Any]]  # of text: {"places": [characters in each], "share", "start", "room"}
    digits: int  # of the number that text counts on with where its shape has no empty stretch left

    @classmethod
    def detect(cls, cells: Cells, field: Field) -> dict[str, Any] | None:
        whole = pd.api.types.is_integer_dtype(cells.present.dtype)
        asked = field.type == cls.type
        if not (whole or cells.is_text) or len(cells) < (1 if asked else 20):
            return None
        facts = {"unique": bool(field.facts.get("unique", cells.all_differ))}
        if not whole:
            mostly_rare = int(cells.counts[cells.counts < RARE].sum()) > len(cells) / 2
            return facts if asked or (mostly_rare and not is_written_number(cells)) else None
        named = isinstance(field.name, str) and bool(_NAMES.search(field.name))
        counts_rows = cells.all_differ and int(cells.present.max()) - int(cells.present.min()) + 1 == len(cells)
        looks = asked or (named and len(cells.counts) > len(cells) / 2) or counts_rows
        return facts if looks and any(_empty_stretches(cells.present)) else None

    @classmethod
    def fit(cls, present: pd.Series, field: Field, options: Options, rng: np.random.Generator) -> Self:
        keys = [int(key) for key in rng.integers(1, 2**62, 4)]
        if pd.api.types.is_integer_dtype(present.dtype):
            distinct = 1.0 if field.facts["unique"] else present.nunique() / len(present)
            gap, beyond = _empty_stretches(present)
            stretches = ([list(_inside(*gap, rng))] if gap else []) + ([list(beyond)] if beyond else [])
            return cls(distinct, keys, stretches, [], 0)
        real, rows = np.unique(present.to_numpy(object), return_counts=True)
        distinct = 1.0 if field.facts["unique"] else len(real) / len(present)
        text = pd.Series(real, dtype=object)
        outline, outlines = tell_apart(cell.translate(_OUTLINE) for cell in real)
        held = np.bincount(outline)
        shapes = []
        for common in np.argsort(-held, kind="stable")[:_SHAPES].tolist():
            group = text[outline == common]
            places = _places(group) if len(group) >= RARE else None
            if places:
                shapes.append(_shape(places, group, int(rows[group.index].sum()), keys, rng))
        if not shapes:  # every value looks different, as people's names do: a made-up word of the usual length
            length = min(20, max(8, round(float(text.str.len().median()))))
            group = text[text.str.fullmatch(rf"[A-Z][a-z]{{{length - 1}}}")]
            shapes = [_shape([_UPPER] + [_LOWER] * (length - 1), group, 1, keys, rng)]
        shapes.sort(key=lambda shape: -shape["share"])
        return cls(distinct, keys, [], shapes, _free_digits(shapes[0]["places"], outlines))

    @property
    def choices(self) -> int:
        return 1

    def decode(self, choice: np.ndarray, value: np.ndarray, row: np.ndarray, seed: int) -> np.ndarray:
        identity = row if self.distinct == 1 else _some_again(row, self.distinct, seeds.mix(seed, self.keys[3]))
        if self.stretches:
            return self._numbers(identity)
        share = np.cumsum([shape["share"] for shape in self.shapes])
        which = np.searchsorted(share[:-1] / share[-1], _fraction(identity, self.keys[3]), side="right")
        made = np.empty(len(identity), dtype=object)
        room = np.array([shape["room"] for shape in self.shapes])
        counted = identity >= room[which]
        for i, shape in enumerate(self.shapes):
            here = (which == i) & ~counted
            made[here] = self._spell(shape, identity[here])
        made[counted] = self._count_on(identity[counted])
        return made

    def notice(self) -> str | None:
        return "identifiers are made anew, in the same shape"

    def _numbers(self, identity: np.ndarray) -> np.ndarray:
        made = np.zeros(len(identity), np.uint64)
        left = identity.copy()
        for start, room in self.stretches:
            here = (left >= 0) & (left < room)
            made[here] = np.uint64(start) + left[here].astype(np.uint64)
            left = np.where(left < room, -1, left - room)
        if (left >= 0).any():
            most = sum(room for _, room in self.stretches)
            raise DataError(f"whole-number identifiers of this width last for {most} rows, however: more are asked for")
        return made

    def _spell(self, shape: dict[str, Any], identity: np.ndarray) -> list[str]:
        places = shape["places"]
        left, right = _halves(places)
        a, b = _size(left), _size(right)
        point = identity + shape["start"]
        x, y = unscatter(point // b, point % b, a, b, self.keys)
        rest = self._letters(places[len(left) + len(right) :], identity)
        return _join([*_unrank(x, left), *_unrank(y, right), *rest])

    def _count_on(self, identity: np.ndarray) -> list[str]:
        """The commonest shape, with a number in it that has more digits than fit any real one there."""
        places = self.shapes[0]["places"]
        at, width = _counter(places)
        count = np.array([str(10 ** (self.digits - 1) + i) for i in identity.tolist()], dtype=object)
        return _join([*self._letters(places[:at], identity), count, *self._letters(places[at + width :], identity)])

    def _letters(self, places: list[str], identity: np.ndarray) -> list[np.ndarray]:
        """Any letters that the places allow, the same ones for the same identity."""
        columns = (_scramble(identity + k, self.keys[2]) % np.uint64(len(p)) for k, p in enumerate(places))
        return [np.array(list(p), dtype=object)[column] for p, column in zip(places, columns, strict=True)]


def _some_again(row: np.ndarray, distinct: float, key: int) -> np.ndarray:
    """Who stands in each row: a share `distinct` of the rows are new, the others are who stands in some earlier row.

    It depends on the number of the row alone, so rows may be made in any parts and order.
    """
    identity = row.copy()
    while True:
        again = (_fraction(identity, key) >= distinct) & (identity > 0)
        if not again.any():
            return identity
        earlier = (identity[again] * _fraction(identity[again], key + 1)).astype(np.int64)
        identity[again] = np.minimum(earlier, identity[again] - 1)


def _empty_stretches(present: pd.Series) -> list[tuple[int, int] | None]:
    """Where no real number is: the widest gap (start, room) among those of the commonest length, and all longer ones.

    None for what is too narrow.
    """
    limit = int(np.iinfo(getattr(present.dtype, "numpy_dtype", present.dtype)).max)
    real = np.unique(present.to_numpy(np.int64 if limit < 2**63 else np.uint64))
    real = real[real >= 0].astype(np.uint64)
    powers = np.array([10**k for k in range(20)], np.uint64)
    length = np.maximum(1, np.searchsorted(powers, real, side="right"))
    common = int(np.bincount(length).argmax()) if len(real) else 1
    ends = np.array([10 ** (common - 1) - 1, min(10**common, limit)], np.uint64)
    edge = np.concatenate([ends[:1], real[length == common], ends[1:]])
    gap = np.diff(edge)
    beyond = 10 ** int(length.max(initial=1))
    stretches = [(int(edge[gap.argmax()]) + 1, int(gap.max()) - 1), (beyond, limit - beyond)]
    return [stretch if stretch[1] >= _ROOM * len(present) else None for stretch in stretches]


def _inside(start: int, room: int, rng: np.random.Generator) -> tuple[int, int]:
    """A part of an empty stretch, so that its ends do not give away the real values next to them."""
    margin = room // 4
    return start + int(rng.integers(0, margin + 1)), room - 2 * margin


def _shape(places: list[str], group: pd.Series, rows: int, keys: list[int], rng: np.random.Generator) -> dict[str, Any]:
    """What is remembered of the values of one outline."""
    left, right = _halves(places)
    a, b = _size(left), _size(right)
    codes = _codes(group, len(places))
    x, y = _rank(codes[:, : len(left)], left), _rank(codes[:, len(left) : len(left) + len(right)], right)
    x, y = scatter(x, y, a, b, keys)
    point = np.unique(np.concatenate([[-1], x * b + y, [a * b]]))
    gap = np.diff(point) - 1
    widest = int(gap.argmax())
    start, room = _inside(int(point[widest]) + 1, int(gap[widest]), rng)
    return {"places": places, "share": rows, "start": start, "room": room if room >= _ROOM * len(group) else 0}


def _codes(group: pd.Series, length: int) -> np.ndarray:
    """Texts of one length as a matrix of code points."""
    return np.frombuffer("".join(group).encode("utf-32-le", "surrogatepass"), np.uint32).reshape(len(group), length)


def _places(group: pd.Series) -> list[str] | None:
    """The characters possible in each place: the one that is always there, or the smallest class that covers them."""
    places = []
    for column in _codes(group, len(group.iloc[0])).T:
        seen = {chr(code) for code in np.unique(column).tolist()}
        cover = [next(iter(seen))] if len(seen) == 1 else [c for c in _CLASSES if seen <= set(c)]
        if not cover:
            return None
        places.append(cover[0])
    return places


def _halves(places: list[str]) -> tuple[list[str], list[str]]:
    """The places in two halves, each of which can be counted in 31 bits; what comes after them is filled at random."""
    left = _countable(places[: (len(places) + 1) // 2])
    return left, _countable(places[len(left) :])


def _countable(places: list[str]) -> list[str]:
    return places[: max(k for k in range(len(places) + 1) if _size(places[:k]) < 2**31)]


def _size(places: list[str]) -> int:
    size = 1
    for place in places:
        size *= len(place)
    return size


def _counter(places: list[str]) -> tuple[int, int]:
    """Where the longest run of digits begins, and its length; the very end if there is none."""
    runs = re.finditer("d+", "".join("d" if set(p) <= set(_DIGIT) and len(p) > 1 else "-" for p in places))
    width, at = max(((m.end() - m.start(), -m.start()) for m in runs), default=(0, -len(places)))
    return -at, width


def _free_digits(places: list[str], outlines: list[str]) -> int:
    """So many digits in the counting place that no real value looks like that, nor with more."""
    at, width = _counter(places)
    outline = "".join("a" if p[0] in _CLASSES[-1] else p for p in places)
    like = re.compile(f"{re.escape(outline[:at])}(a*){re.escape(outline[at + width :])}", re.DOTALL)
    return 1 + max([width, *(len(match[1]) for o in outlines if (match := like.fullmatch(o)))])


def _rank(codes: np.ndarray, places: list[str]) -> np.ndarray:
    """Spelled values as numbers: the places are digits of as many kinds as they have characters."""
    rank = np.zeros(len(codes), np.int64)
    for column, place in zip(codes.T, places, strict=True):
        letters = np.array([ord(letter) for letter in place], np.uint32)
        order = letters.argsort()
        rank = rank * len(place) + order[np.searchsorted(letters[order], column)]
    return rank


def _unrank(rank: np.ndarray, places: list[str]) -> list[np.ndarray]:
    """The inverse of `_rank`, place by place."""
    columns = []
    for place in reversed(places):
        columns.append(np.array(list(place), dtype=object)[rank % len(place)])
        rank = rank // len(place)
    return columns[::-1]


def _join(columns: list[np.ndarray]) -> list[str]:
    return ["".join(letters) for letters in zip(*(column.tolist() for column in columns), strict=True)]


def _scramble(x: np.ndarray, key: int) -> np.ndarray:
    """Sixty-four bits that depend on every bit of x and of the key.

    Fast Splittable Pseudorandom Number Generators (Steele, Lea & Flood, 2014), https://doi.org/10.1145/2660193.2660195
    """
    z = x.astype(np.uint64) + np.uint64(key)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))


def _fraction(x: np.ndarray, key: int) -> np.ndarray:
    """An even draw from [0, 1) that is always the same for the same x."""
    return (_scramble(x, key) >> np.uint64(11)) * 2.0**-53


def scatter(x: np.ndarray, y: np.ndarray, a: int, b: int, keys: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """A Feistel network on the a-by-b box: each half is turned by an amount that the other one says.

    >>> x, y = np.divmod(np.arange(35), 7)
    >>> there = scatter(x, y, 5, 7, [3, 1, 4])
    >>> sorted(zip(*(half.tolist() for half in there))) == list(zip(x.tolist(), y.tolist()))
    True
    """
    for key in keys:
        x = (x + (_scramble(y, key) % np.uint64(a)).astype(np.int64)) % a
        y = (y + (_scramble(x, key + 1) % np.uint64(b)).astype(np.int64)) % b
    return x, y


def unscatter(x: np.ndarray, y: np.ndarray, a: int, b: int, keys: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The inverse of `scatter`."""
    for key in reversed(keys):
        y = (y - (_scramble(x, key + 1) % np.uint64(b)).astype(np.int64)) % b
        x = (x - (_scramble(y, key) % np.uint64(a)).astype(np.int64)) % a
    return x, y
