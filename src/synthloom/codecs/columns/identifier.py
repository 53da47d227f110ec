"""Identifiers: made anew in the old shape, unique where they were, and never one of the real ones.

The values of one shape (length and punctuation) are the points of a box: so many possible characters in each place. A
keyed permutation scatters the box, and the largest stretch of it that no real value falls into is where new ones come
from, in order of the row number. So new identifiers cannot meet real ones or each other, however many machines make
them, and the model keeps no list of the real ones: only where the empty stretch begins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from synthloom.codecs.columns.base import RARE, Cells, Column, Options
from synthloom.codecs.columns.number import is_written_number
from synthloom.schema import Field

__all__ = ["IdentifierColumn"]

_DIGIT, _LOWER, _UPPER = "0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CLASSES = [
    _DIGIT[1:],
    _DIGIT,
    _DIGIT + "abcdef",
    _DIGIT + "ABCDEF",
    _LOWER,
    _UPPER,
    _DIGIT + _LOWER,
    _DIGIT + _UPPER,
    _LOWER + _UPPER,
    _DIGIT + _LOWER + _UPPER,
]
_NAMES = re.compile(r"(^|[^a-z])(id|ids|uid|guid|uuid|key|nr|nbr|no|ref)$|[a-z](Id|ID|Key|Nr|No)$|^id[A-Z_]")
_HALF = 2**31


@dataclass(frozen=True)
class IdentifierColumn(Column):
    """Says nothing to the network; decoding depends on the row number alone."""

    type: ClassVar[str] = "identifier"

    shapes: list[dict[str, Any]]  # {"places": [characters per place], "share", "start", "room", "dense"}
    keys: list[int]  # of the permutation
    distinct: float  # distinct values per row
    whole: bool  # integers, not text

    @classmethod
    def detect(cls, cells: Cells, field: Field) -> dict[str, Any] | None:
        whole = pd.api.types.is_integer_dtype(cells.present.dtype)
        if not len(cells) or not (whole or cells.is_text):
            return None
        facts = {"unique": cells.all_differ, "whole": whole}
        if field.type == cls.type:
            return facts
        if len(cells) < 20:
            return None
        if whole:
            named = (
                isinstance(field.name, str) and bool(_NAMES.search(field.name)) and len(cells.counts) > len(cells) / 2
            )
            span = int(cells.present.max()) - int(cells.present.min()) + 1
            return facts if named or (cells.all_differ and span == len(cells)) else None
        mostly_rare = int(cells.counts[cells.counts < RARE].sum()) > len(cells) / 2
        return facts if mostly_rare and not is_written_number(cells) else None

    @classmethod
    def fit(cls, present: pd.Series, field: Field, options: Options, rng: np.random.Generator) -> Self:
        text = pd.Series([str(value) for value in present.to_numpy(object)], dtype=object)
        keys = [int(k) for k in rng.integers(1, 2**62, 4)]
        outline = text.str.replace(r"[0-9A-Za-z]", "a", regex=True)
        shapes = []
        for _, group in text.groupby(outline, sort=True):
            if len(group) >= RARE and (places := _places(group)):
                shape = _shape(places, group, keys) | {"share": len(group) / len(text)}
                shapes.append(shape | {"width": _free_width(places, set(outline))})
        if not shapes:  # every value looks different, as people's names do: a made-up word of the usual length
            places = [_UPPER] + [_LOWER] * min(20, max(8, round(float(text.str.len().median()))))
            group = text[text.str.fullmatch(rf"[A-Z][a-z]{{{len(places) - 1}}}")]
            width = _free_width(places, set(outline))
            shapes.append(_shape(places, group, keys) | {"share": 1.0, "width": width})
        whole = bool(field.facts["whole"])
        if whole:  # the commonest length alone: shapes of different lengths would mix orders of magnitude
            shapes = [max(shapes, key=lambda shape: (shape["share"], len(shape["places"])))]
        distinct = text.nunique() / len(text) if not field.facts["unique"] else 1.0
        return cls(shapes, keys, distinct, whole)

    def decode(self, choice: np.ndarray, value: np.ndarray, row: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if self.distinct < 1:  # repeat some earlier identity as often as the real column does
            again = rng.random(len(row)) > self.distinct
            row = np.where(again, (row * rng.random(len(row))).astype(np.int64), row)
        share = np.array([shape["share"] for shape in self.shapes])
        # which shape a row has depends on its number alone, so that a repeated identity is the same everywhere
        which = np.searchsorted(np.cumsum(share / share.sum())[:-1], _scramble(row, self.keys[3]) / 2.0**64)
        out = np.empty(len(row), dtype=object)
        for i, shape in enumerate(self.shapes):
            out[which == i] = self._make(shape, row[which == i])
        return np.array([int(v) for v in out], dtype=object) if self.whole else out

    def notice(self) -> str | None:
        return "identifiers are made anew, in the same shape"

    def _make(self, shape: dict[str, Any], row: np.ndarray) -> list[str]:
        places, room = shape["places"], 0 if shape["dense"] else shape["room"]
        made = np.empty(len(row), dtype=object)
        inside = row < room
        if inside.any():
            left, right = _split(places)
            a, b = _size(left), _size(right)
            point = row[inside] + shape["start"]
            x, y = _unscatter(point // b, point % b, a, b, self.keys)
            columns = _spell(x, left) + _spell(y, right)
            columns += self._random(places[len(left) + len(right) :], row[inside])
            made[inside] = _join(columns)
        if not inside.all():  # no empty stretch, or it is used up: count on, with more digits than any real value has
            at, width = _digits(places)
            rest = row[~inside]
            count = np.array([str(10 ** (shape["width"] - 1) + r) for r in (rest - room).tolist()], dtype=object)
            head, tail = self._random(places[:at], rest), self._random(places[at + width :], rest)
            made[~inside] = _join([*head, count, *tail])
        return made.tolist()

    def _random(self, places: list[str], row: np.ndarray) -> list[np.ndarray]:
        key = self.keys[2]
        return [np.array(list(p))[_scramble(row + k, key) % np.uint64(len(p))] for k, p in enumerate(places)]


def _join(columns: list[np.ndarray]) -> list[str]:
    return ["".join(letters) for letters in zip(*(column.tolist() for column in columns), strict=True)]


def _free_width(places: list[str], outlines: set[str]) -> int:
    """So many digits in the counting place that no real value looks like that, nor with more."""
    at, width = _digits(places)
    outline = "".join("a" if p[0].isalnum() else p[0] for p in places)
    head, tail = re.escape(outline[:at]), re.escape(outline[at + width :])
    seen = [match for o in outlines if (match := re.fullmatch(f"{head}(a*){tail}", o))]
    return 1 + max([width, *(len(match[1]) for match in seen)])


def _letters(group: pd.Series, length: int) -> np.ndarray:
    """Texts of one length as a matrix of characters."""
    return np.array(group.tolist(), dtype=f"U{length}").view("U1").reshape(len(group), length)


def _places(group: pd.Series) -> list[str] | None:
    """The characters possible in each place: the one that is always there, or the smallest class that covers them."""
    letters = _letters(group, len(group.iloc[0]))
    places = []
    for column in letters.T:
        seen = set(np.unique(column).tolist())
        cover = [next(iter(seen))] if len(seen) == 1 else [c for c in _CLASSES if seen <= set(c)]
        if not cover:
            return None
        places.append(cover[0])
    return places


def _shape(places: list[str], group: pd.Series, keys: list[int]) -> dict[str, Any]:
    left, right = _split(places)
    a, b = _size(left), _size(right)
    letters = _letters(group, len(places))
    x, y = _rank(letters[:, : len(left)], left), _rank(letters[:, len(left) : len(left) + len(right)], right)
    x, y = _scatter(x, y, a, b, keys)
    point = np.unique(np.concatenate([[-1], x * b + y, [a * b]]))
    gap = np.diff(point)
    widest = int(gap.argmax())
    room = int(gap[widest]) - 1
    dense = room < 20 * len(group)
    return {"places": places, "start": int(point[widest]) + 1, "room": room, "dense": dense}


def _split(places: list[str]) -> tuple[list[str], list[str]]:
    """The places in two halves, each of which can be counted in 31 bits; what does not fit is filled at random."""
    halves: list[list[str]] = []
    half_of = -(-len(places) // 2)
    for start in (0, None):
        begin = 0 if start == 0 else len(halves[0])
        half: list[str] = []
        for place in places[begin:]:
            if _size([*half, place]) >= _HALF or (start == 0 and len(half) >= half_of):
                break
            half.append(place)
        halves.append(half)
    return halves[0], halves[1]


def _size(places: list[str]) -> int:
    size = 1
    for place in places:
        size *= len(place)
    return size


def _digits(places: list[str]) -> tuple[int, int]:
    """Where the longest run of digits begins, and its length; the very end if there is none."""
    runs = re.finditer("d+", "".join("d" if set(p) <= set(_DIGIT) and len(p) > 1 else "-" for p in places))
    best = max(((m.end() - m.start(), m.start()) for m in runs), default=(0, len(places)))
    return best[1], best[0]


def _rank(letters: np.ndarray, places: list[str]) -> np.ndarray:
    rank = np.zeros(len(letters), np.int64)
    for column, place in zip(letters.T, places, strict=True):
        order = np.argsort(list(place))
        rank = rank * len(place) + order[np.searchsorted(np.array(list(place))[order], column)]
    return rank


def _spell(rank: np.ndarray, places: list[str]) -> list[np.ndarray]:
    columns = []
    for place in reversed(places):
        columns.append(np.array(list(place))[rank % len(place)])
        rank = rank // len(place)
    return columns[::-1]


def _scramble(x: np.ndarray, key: int) -> np.ndarray:
    """splitmix64: sixty-four bits that depend on every bit of x and of the key."""
    z = np.asarray(x).astype(np.uint64) + np.uint64(key)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))


def _scatter(x: np.ndarray, y: np.ndarray, a: int, b: int, keys: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """A Feistel network on the a-by-b box: each half is turned by an amount that the other one says."""
    for key in keys:
        x = (x + (_scramble(y, key) % np.uint64(a)).astype(np.int64)) % a
        y = (y + (_scramble(x, key + 1) % np.uint64(b)).astype(np.int64)) % b
    return x, y


def _unscatter(x: np.ndarray, y: np.ndarray, a: int, b: int, keys: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The inverse of `_scatter`."""
    for key in reversed(keys):
        y = (y - (_scramble(x, key + 1) % np.uint64(b)).astype(np.int64)) % b
        x = (x - (_scramble(y, key) % np.uint64(a)).astype(np.int64)) % a
    return x, y
