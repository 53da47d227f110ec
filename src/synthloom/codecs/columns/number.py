"""Numbers: integers, decimals, floats, Python Decimals; also text that is plainly a number with a few odd marks."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from synthloom.codecs.columns.base import Cells, Column, Encoded, Options
from synthloom.codecs.columns.scales import SCALES, Scale, load_scale
from synthloom.errors import DataError
from synthloom.schema import Field

__all__ = ["NumberColumn", "is_written_number"]

_EXACT = 2.0**53
"""The largest whole number up to which float64 knows every one."""


@dataclass(frozen=True)
class NumberColumn(Column):
    """Cells and positions by a scale; then the values that are no numbers to reckon with: infinities, odd marks.

    A number is kept as whole `ticks` of its last decimal above `origin` wherever that is exact, so that 0.1 stays 0.1
    and large integers keep their last digit.
    """

    type: ClassVar[str] = "number"

    scale: Scale | None  # None if every value is odd
    odd: list[str]  # choices after the scale's own: "inf", "-inf", or a mark such as " " or "?"
    origin: int
    unit: float
    decimals: int | None
    form: str  # how values leave: "number", "int" or "Decimal" objects, "text"
    kind: str  # numpy kind of the dtype: i, u, f
    low: float
    high: float

    @classmethod
    def detect(cls, cells: Cells, field: Field) -> dict[str, Any] | None:
        asked = field.type == cls.type
        form = _form(cells, asked)
        if form is None:
            return None
        if form == "text":
            distinct = cells.distinct
            number, _ = _split_text(distinct)
            trimmed = number.map(_trimmed)
            written = distinct[number.index].astype(str)
            decimals = int(written.str.partition(".")[2].str.len().max())
            style = "trimmed" if (trimmed == written).all() else "fixed"
            if style == "fixed" and not asked and not (number.map(f"{{:.{decimals}f}}".format) == written).all():
                return None
            return {"decimals": decimals, "form": "text", "style": style}
        return {"decimals": _decimals(cells.present, form), "form": form}

    @classmethod
    def fit(cls, present: pd.Series, field: Field, options: Options, rng: np.random.Generator) -> Self:
        form, decimals = field.facts["form"], field.facts["decimals"]
        number, odd = _split(present, form)
        kind = _kind(number)
        marks = [str(mark) for mark, count in odd.value_counts().items() if count >= options.fewest]
        if not len(number):
            return cls(None, marks, 0, 1.0, decimals, _exit(field), kind, 0.0, 0.0)
        origin = 0
        if kind in "iu":  # reckon from the middle, so that the widest integers still fit
            origin = (int(number.min()) + int(number.max())) // 2
        largest = float(np.abs(number.astype(np.float64)).max())
        whole = decimals is not None and (kind in "iu" or largest * 10.0**decimals < _EXACT)
        unit = 10.0 ** (decimals or 0) if whole else 1.0
        if not whole and largest > 1e150:  # differences between such numbers would overflow
            unit = 2.0**-1000
        bare = cls(None, marks, origin, unit, decimals if whole else None, _exit(field), kind, 0.0, 0.0)
        x = bare._ticks(number)
        scale = SCALES[options.numbers].fit(x, whole, options, rng)
        reach = np.concatenate([scale.atoms, scale.decode(*_extremes(scale))])
        low, high = float(reach.min()), float(reach.max())
        return cls(scale, marks, origin, unit, decimals if whole else None, _exit(field), kind, low, high)

    @property
    def choices(self) -> int:
        return max(1, self._own + len(self.odd))

    @property
    def numbered(self) -> int:
        return self.scale.cells if self.scale else 0

    @property
    def _own(self) -> int:
        return self.scale.cells + len(self.scale.atoms) if self.scale else 0

    def encode(self, present: pd.Series, rng: np.random.Generator, *, strict: bool) -> Encoded:
        number, odd = _split(present, "text" if self.form.startswith("text") else self.form)
        choice = np.full(len(present), -1, np.int64)
        value = np.zeros(len(present), np.float32)
        at = present.index.get_indexer(number.index)
        if self.scale and len(number):
            x = self._ticks(number)
            if strict and ((x < self.low - 0.5) | (x > self.high + 0.5)).any():
                low, high = self._leave(np.array([self.low, self.high]))
                raise DataError(f"a value of column {present.name!r} must lie between {low} and {high}")
            choice[at], value[at] = self.scale.encode(np.clip(x, self.low, self.high), rng)
        if len(odd):
            place = odd.map({mark: self._own + i for i, mark in enumerate(self.odd)}).fillna(-1)
            choice[present.index.get_indexer(odd.index)] = place.astype(np.int64)
        return Encoded(np.maximum(choice, 0), value, choice >= 0)

    def decode(self, choice: np.ndarray, value: np.ndarray, row: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        own = choice < self._own
        if own.all() and self.scale:
            return self._leave(self.scale.decode(choice, value))
        out = np.zeros(len(choice), dtype=object if self.form != "number" else np.float64)
        if self.scale:
            out[own] = self._leave(self.scale.decode(choice[own], value[own]))
        marks = np.array(self.odd or ["nan"], dtype=object)[np.maximum(choice[~own] - self._own, 0)]
        out[~own] = marks.astype(out.dtype)
        return out

    def state(self) -> dict[str, Any]:
        return super().state() | {"scale": self.scale.state() if self.scale else None}

    @classmethod
    def load(cls, state: dict[str, Any]) -> Self:
        return cls(**state | {"scale": load_scale(state["scale"]) if state["scale"] else None})

    def _ticks(self, number: pd.Series) -> np.ndarray:
        if self.kind in "iu":
            span = number.astype(object) - self.origin if self.kind == "u" or self._is_wide(number) else None
            exact = span if span is not None else number.to_numpy(np.int64) - self.origin
            return np.asarray(exact, np.float64)
        x = number.to_numpy(np.float64) * self.unit
        return np.rint(x) if self.decimals is not None else x

    def _is_wide(self, number: pd.Series) -> bool:
        return int(number.max()) - self.origin >= 2**62 or self.origin - int(number.min()) >= 2**62

    def _leave(self, x: np.ndarray) -> np.ndarray:
        """Ticks back to values of the form in which the column came."""
        if self.kind in "iu":
            x = np.rint(x)
            if max(abs(self.low), abs(self.high)) < _EXACT and abs(self.origin) < 2**62:
                whole = x.astype(np.int64) + self.origin
            else:  # beyond what int64 and float64 share: exact Python integers, held inside the dtype
                bounds = np.iinfo(np.int64 if self.kind == "i" else np.uint64)
                whole = np.array([min(max(int(t) + self.origin, int(bounds.min)), int(bounds.max)) for t in x], object)
            return whole.astype(object) if self.form == "int" else whole
        number = np.rint(x) / self.unit if self.decimals is not None else x / self.unit
        if self.form == "Decimal":
            return np.array(
                [Decimal(f"{v:.{self.decimals}f}" if self.decimals is not None else repr(v)) for v in number.tolist()],
                dtype=object,
            )
        if self.form == "text/fixed":
            return np.array([f"{v:.{self.decimals or 0}f}" for v in number.tolist()], dtype=object)
        if self.form == "text/trimmed":
            return np.array([_trimmed(v) for v in number.tolist()], dtype=object)
        return number


def _extremes(scale: Scale) -> tuple[np.ndarray, np.ndarray]:
    """Codes of the outermost places: the ends of every cell."""
    cells = np.arange(scale.cells).repeat(2)
    return cells, np.tile([-40.0, 40.0], scale.cells).astype(np.float32)


def _form(cells: Cells, asked: bool) -> str | None:
    dtype = cells.present.dtype
    if pd.api.types.is_bool_dtype(dtype):
        return "number" if asked else None
    if pd.api.types.is_numeric_dtype(dtype):
        decimal = isinstance(dtype, pd.ArrowDtype) and dtype.type is Decimal
        return "Decimal" if decimal else "number"
    if dtype == object:
        types = cells.kinds
        if types == {Decimal}:
            return "Decimal"
        if types and types <= {int, np.int64, np.int32}:
            return "int"
        if types and types <= {int, float, np.int64, np.float64, np.float32}:
            return "number"
    if not cells.is_text:
        return None
    if asked:
        return "text" if len(_split_text(cells.distinct)[0]) else None
    return "text" if is_written_number(cells) else None


def is_written_number(cells: Cells) -> bool:
    """Whether text is plainly numbers: nearly all of it reads as one, with at most a few odd marks between.

    Only with a decimal point somewhere: whole numbers in text are more often codes.
    """
    head = cells.distinct.head(100)
    if len(cells) < 20 or len(_split_text(head)[0]) < 0.5 * len(head):
        return False
    number, odd = _split_text(cells.distinct)
    odd_rows = int(cells.counts.iloc[odd.index].sum())
    if odd_rows > 0.1 * len(cells) or len(odd) > 3:
        return False
    return bool(cells.distinct[number.index].str.contains(".", regex=False).any())


def _split_text(present: pd.Series) -> tuple[pd.Series, pd.Series]:
    text = present.astype(object)
    plain = text.astype(str).str.fullmatch(r"-?(0|[1-9]\d{0,14})(\.\d{1,9})?").to_numpy(bool)
    return text[plain].astype(str).astype(np.float64), text[~plain].astype(str)


def _split(present: pd.Series, form: str) -> tuple[pd.Series, pd.Series]:
    """Numbers to reckon with, and the odd ones as words."""
    if form == "text":
        return _split_text(present)
    if form == "Decimal":
        present = present.astype(object).map(float).astype(np.float64)
    elif form == "int" or present.dtype == object:
        if all(isinstance(v, (int, np.integer)) for v in present):
            big = max(map(int, present), default=0) >= 2**63
            present = pd.Series(np.array([int(v) for v in present], np.uint64 if big else np.int64), present.index)
        else:
            present = present.astype(np.float64)
    else:
        kind = _dtype_kind(present.dtype)
        plain = {"i": np.int64, "u": np.uint64, "f": np.float64, "b": np.int64}[kind]
        present = pd.Series(present.to_numpy(plain), present.index, name=present.name)
    if present.dtype.kind != "f":
        return present, pd.Series([], dtype=object)
    finite = np.isfinite(present.to_numpy())
    odd = pd.Series(np.where(present[~finite] > 0, "inf", "-inf"), present.index[~finite], dtype=object)
    return present[finite], odd


def _dtype_kind(dtype: Any) -> str:
    if isinstance(dtype, np.dtype):
        return dtype.kind
    return str(getattr(dtype, "kind", "f"))


def _kind(number: pd.Series) -> str:
    return str(number.dtype.kind)


def _exit(field: Field) -> str:
    form = str(field.facts["form"])
    return f"text/{field.facts['style']}" if form == "text" else form


def _decimals(present: pd.Series, form: str) -> int | None:
    """The fewest decimals that write every value exactly, up to 6; None for true floats."""
    if form == "Decimal":
        exponents = [int(e) for v in present if isinstance(e := v.as_tuple().exponent, int)]
        return max(0, -min(exponents, default=0))
    number, _ = _split(present, form)
    if _kind(number) in "iu":
        return 0
    x = number.to_numpy()
    narrow = np.float32 if str(present.dtype).lower().startswith("float32") else np.float64
    narrow = np.float16 if str(present.dtype) == "float16" else narrow
    with np.errstate(over="ignore", invalid="ignore"):
        for decimals in range(7):
            if (np.abs(x) < _EXACT / 10.0**decimals).all() and (np.round(x, decimals).astype(narrow) == x).all():
                return decimals
    return None


def _trimmed(value: float) -> str:
    return str(np.format_float_positional(value, trim="-"))
