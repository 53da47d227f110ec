"""A table codec that is learnt under differential privacy: from noisy counts of rows by bins, and from nothing else.

Public is what a catalogue would say of the table: the names, order and dtypes of its columns, and what the user
declares. Types follow from dtypes alone, where the ordinary codec looks into the cells. Then each question sorts all
rows of a column into bins, a row into one at the most, and gets the counts with noise: so a row changes one count by
one, whatever it holds. Everything that the codec remembers, and the `Marginals`, are worked out from such counts.

Legend for names of arrays: B rows, K bins.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from synthloom import rng
from synthloom.codecs.columns import COLUMNS, Column, Options
from synthloom.codecs.columns.boolean import BooleanColumn
from synthloom.codecs.columns.category import CategoryColumn, factorize, is_plain, key_of, levels_of, value_of
from synthloom.codecs.columns.datetime import DatetimeColumn
from synthloom.codecs.columns.duration import DurationColumn
from synthloom.codecs.columns.identifier import IdentifierColumn
from synthloom.codecs.columns.number import NumberColumn, split
from synthloom.codecs.columns.scales import QuantileScale
from synthloom.codecs.columns.text import TextColumn
from synthloom.codecs.columns.ticks import TicksColumn, distance, steps_of
from synthloom.codecs.dtypes import dtype_name, holds_text, refuse_unsupported
from synthloom.codecs.table import TableCodec, check_frame, plain_name
from synthloom.errors import DataError, UsageError
from synthloom.privacy import Account, Entry
from synthloom.schema import Field, Name, Overrides, Schema, read_overrides
from synthloom.spec import TableBatch

__all__ = ["Marginals", "learn"]

_SURE = 4.0
"""Noisy counts below so many standard deviations may be noise alone: of some hundred empty bins hardly one comes so
far."""
_PARTS = 8
"""Into how many parts a stretch of numbers that many rows fall into is cut."""
_DEPTH = 4
"""... and how often,"""
_HEAVY = 16.0
"""... if its noisy count is so many standard deviations or more: each part is then about two of them."""
_TINY = -40
"""Fractions nearer to 0 than 2 to the power of this count as 0."""


@dataclass(frozen=True)
class Marginals:
    """How often each choice of each column occurs, about; no column knows of another."""

    shares: tuple[tuple[float, ...], ...]
    numbered: tuple[int, ...]

    def batch(self, rows: int, seed: int) -> TableBatch:
        """Rows of independent cells with these frequencies: they may stand in for the real ones wherever only columns
        on their own matter."""
        chance = rng.generator(seed, "stand-in")
        choice_BC = np.stack([chance.choice(len(share), rows, p=np.array(share)) for share in self.shares], 1)
        value_BC = chance.standard_normal(choice_BC.shape) * (choice_BC < np.array(self.numbered))
        known_BC = np.ones(choice_BC.shape, bool)
        return TableBatch(*(torch.from_numpy(a) for a in (choice_BC, value_BC.astype(np.float32), known_BC)))


@dataclass
class _Counter:
    """Counts rows by bins, with noise, and enters each question into the account."""

    account: Account
    noise: float
    listed: int
    """How many columns have their values named without anyone having declared them."""

    @property
    def sure(self) -> float:
        return _SURE * self.noise

    def count(self, bin_B: np.ndarray, bins: int) -> np.ndarray:
        """Rows in each bin [K]; a bin of -1 is none."""
        exact_K = np.bincount(bin_B[bin_B >= 0], minlength=bins)
        self.account.spend(Entry(self.noise, 1.0, 1))
        return np.asarray(exact_K + self.noise * rng.secret_normal(bins))

    def name(self, code_B: np.ndarray, keys: Sequence[str], fewest: int) -> tuple[list[str], list[float], float]:
        """The keys that enough rows hold to be named, their counts, and how many cells are missing (code -1).

        The noise hides whether one row holds a key that is named; the threshold, that any row holds one that is not.
        """
        exact_K = np.bincount(code_B + 1, minlength=len(keys) + 1)
        self.account.spend(Entry(self.noise, 1.0, 1))
        noisy_K = exact_K + self.noise * rng.secret_normal(len(exact_K))
        threshold = self.account.threshold(self.noise, self.listed, fewest)
        named = [k for k in range(len(keys)) if exact_K[k + 1] >= fewest and noisy_K[k + 1] >= threshold]
        named.sort(key=lambda k: -noisy_K[k + 1])
        return [keys[k] for k in named], [float(noisy_K[k + 1]) for k in named], float(noisy_K[0])


class _Learnt(NamedTuple):
    """A column, how many rows take each of its choices, and in how many the cell is missing."""

    column: Column
    count_K: np.ndarray
    missing: float


Learn = Callable[[pd.Series, Field, Options, _Counter], _Learnt]


def learn(
    df: pd.DataFrame, schema: Overrides | None, options: Options, account: Account
) -> tuple[TableCodec, Marginals, float]:
    """The codec, the frequencies that go with it, and the noise (in rows) that every count had."""
    check_frame(df, options)
    names = [plain_name(name) for name in df.columns]
    said = read_overrides(schema, names, COLUMNS)
    fields = [_field(df.iloc[:, i], name, said.get(name, {})) for i, name in enumerate(names)]
    questions = sum(_questions(field) for field in fields)
    listed = sum(field.type == CategoryColumn.type and "values" not in field.facts for field in fields)
    counter = _Counter(account, account.noise_for_statistics(questions), max(1, listed))
    codec = TableCodec(options, schema)
    learnt = [LEARN[field.type](df.iloc[:, i], field, options, counter) for i, field in enumerate(fields)]
    gaps = [bool(found.missing >= counter.sure) for found in learnt]
    codec.columns_ = [found.column for found in learnt]
    codec.leaders_ = [i if gap else None for i, gap in enumerate(gaps)]
    codec.schema_ = Schema(
        tuple(
            dataclasses.replace(field, nullable=gap, facts=_facts(found.column, field))
            for field, found, gap in zip(fields, learnt, gaps, strict=True)
        ),
        plain_name(df.columns.name),
        plain_name(df.index.name),
    )
    spec = codec.spec
    shares = [_shares(learnt[i], gaps[i]) for i in codec.spoken]
    return codec, Marginals(tuple(shares), tuple(block.numbered for block in spec.blocks)), counter.noise


def _shares(learnt: _Learnt, gap: bool) -> tuple[float, ...]:
    count_K = np.append(learnt.count_K, learnt.missing) if gap else learnt.count_K
    count_K = np.maximum(count_K, 0.5)
    return tuple((count_K / count_K.sum()).tolist())


# -- what the columns are ---------------------------------------------------------------------------------------------


def _field(series: pd.Series, name: Name, said: Mapping[str, Any]) -> Field:
    """A column by what is public of it."""
    refuse_unsupported(series, name)
    hints = {key: value for key, value in said.items() if key != "type"}
    kind = said.get("type") or _kind_of(series)
    if kind == "constant":
        kind = CategoryColumn.type
    if kind not in LEARN:
        raise UsageError(f"with epsilon, column {name!r} must be one of {', '.join(LEARN)}, however: {kind}")
    allowed = {"values"} if kind == CategoryColumn.type else set()
    for key in hints:
        if key not in allowed:
            raise UsageError(f"with epsilon, of the {kind} column {name!r} one cannot say {key}={hints[key]!r}")
    number = pd.api.types.is_numeric_dtype(series.dtype) and not pd.api.types.is_bool_dtype(series.dtype)
    fits = {
        NumberColumn.type: number,
        DatetimeColumn.type: series.dtype.kind == "M",
        DurationColumn.type: series.dtype.kind == "m",
    }
    if not fits.get(kind, True):
        raise DataError(
            f"with epsilon, the {kind} column {name!r} must have a dtype that says so, because its cells may not be "
            f"looked at, however: {series.dtype}; convert it first, with pandas.to_{_CONVERT[kind]} for one"
        )
    kinds = set(map(type, series.dropna())) if series.dtype == object else set()
    if not is_plain(kinds):
        raise DataError(
            f"with epsilon, cells of column {name!r} must be text, numbers or booleans, however: some are "
            f"{', '.join(sorted(kind.__name__ for kind in kinds))}; convert them first, with pandas.to_datetime for one"
        )
    return Field(name, kind, dtype_name(series.dtype), facts=hints)


_CONVERT = {"number": "numeric", "datetime": "datetime", "duration": "timedelta"}


def _kind_of(series: pd.Series) -> str:
    dtype = series.dtype
    if pd.api.types.is_bool_dtype(dtype) and not isinstance(dtype, pd.CategoricalDtype):
        return BooleanColumn.type
    if pd.api.types.is_numeric_dtype(dtype):
        return NumberColumn.type
    return {"M": DatetimeColumn.type, "m": DurationColumn.type}.get(dtype.kind, CategoryColumn.type)


def _questions(field: Field) -> int:
    """How many are asked about a column of this kind, at the most."""
    if field.type == NumberColumn.type:
        return 1 + _DEPTH + field.dtype.lower().startswith(("float", "arrow[double", "arrow[float"))
    return 2 + _DEPTH if field.type in (DatetimeColumn.type, DurationColumn.type) else 1


def _facts(column: Column, field: Field) -> dict[str, Any]:
    if isinstance(column, NumberColumn):
        return {"decimals": column.decimals, "form": column.form}
    if isinstance(column, TicksColumn):
        return {"form": column.form}
    return {"unique": True} if isinstance(column, IdentifierColumn) else {}


# -- how each kind is learnt ------------------------------------------------------------------------------------------


def _boolean(series: pd.Series, field: Field, options: Options, counter: _Counter) -> _Learnt:
    column = BooleanColumn()
    present = series.notna().to_numpy(bool)
    bin_B = np.full(len(series), 2)
    bin_B[present] = column.encode(series[present], rng.NO_CHANCE, strict=False).choice
    *count_K, missing = counter.count(bin_B, 3)
    return _Learnt(column, np.array(count_K), missing)


def _category(series: pd.Series, field: Field, options: Options, counter: _Counter) -> _Learnt:
    present = series.notna().to_numpy(bool)
    code, keys = factorize(series[present])
    code_B = np.full(len(series), -1)
    code_B[present] = code
    declared = field.facts.get("values")
    if declared is None:
        kept, counts, missing = counter.name(code_B, keys, options.fewest)
    else:
        kept = [key_of(value) for value in declared]
        place = {key: k for k, key in enumerate(kept)}
        bin_of = np.array([*(place.get(key, -1) for key in keys), len(kept)])  # the last is for what is missing
        *counts, missing = counter.count(bin_of[code_B], len(kept) + 1).tolist()
    if not kept and isinstance(series.dtype, np.dtype) and series.dtype.kind in "iub":
        raise DataError(
            f"some value of column {field.name!r} must be held by enough rows to be given out, however: none is; call "
            f'it a number or an identifier, or declare its values: {{"type": "category", "values": [...]}}'
        )
    rest = counter.account.rows - sum(counts) - max(0.0, missing)
    other = bool(holds_text(field.dtype) and (rest >= counter.sure or not kept))
    levels = levels_of(series.dtype, kept, hide=True) if field.dtype == "category" else None
    column = CategoryColumn([value_of(key) for key in kept], other, 0, 0, levels)
    return _Learnt(column, np.array([*counts, rest] if other else counts), missing)


def _number(series: pd.Series, field: Field, options: Options, counter: _Counter) -> _Learnt:
    present = series.notna().to_numpy(bool)
    number, _ = split(series[present], "number")
    kind = number.dtype.kind
    decimals = 0 if kind in "iu" else _decimals(number.to_numpy(), series.dtype, counter)
    bare = NumberColumn(None, [], "number", kind, decimals, decimals is not None, 0, 0)
    x = bare.lay(number.to_numpy())
    scale, count_K, missing = _scale(x, int((~present).sum()), bare.whole, options, counter)
    return _Learnt(dataclasses.replace(bare, scale=scale), count_K, missing)


def _ticks(kind: type[TicksColumn]) -> Learn:
    def learn(series: pd.Series, field: Field, options: Options, counter: _Counter) -> _Learnt:
        present = series.notna().to_numpy(bool)
        stamps = kind.read(series[present], "dtype")
        unit = np.datetime_data(stamps.dtype)[0]
        ticks = stamps.astype(np.int64)
        steps = steps_of(unit)
        step = steps[_coarsest([ticks % step == 0 for step in steps], counter)]
        x = distance(ticks, 0, step)
        scale, count_K, missing = _scale(x, int((~present).sum()), True, options, counter)
        return _Learnt(kind(scale, 0, step, unit, "dtype"), count_K, missing)

    return learn


def _unspoken(make: Callable[[Field], Column]) -> Learn:
    """A column that says nothing but where its gaps are."""

    def learn(series: pd.Series, field: Field, options: Options, counter: _Counter) -> _Learnt:
        there, missing = counter.count(series.isna().to_numpy(np.int64), 2)
        return _Learnt(make(field), np.array([there]), missing)

    return learn


def _made_up(field: Field) -> Column:
    """Identifiers in a shape of ours: that of the real ones is theirs."""
    count = pd.Series(range(1_000_000, 1_001_000))
    series = count.map("id{}".format).astype(object) if holds_text(field.dtype) else count
    whole = field.dtype.lower().startswith(("int", "uint"))
    if not (holds_text(field.dtype) or whole):
        raise DataError(f"identifiers must be text or whole numbers, however: {field.name!r} is {field.dtype}")
    stream = rng.generator(rng.fresh_seed(), "identifiers")
    return IdentifierColumn.fit(series, dataclasses.replace(field, facts={"unique": True}), Options(), stream)


LEARN: dict[str, Learn] = {
    BooleanColumn.type: _boolean,
    CategoryColumn.type: _category,
    NumberColumn.type: _number,
    DatetimeColumn.type: _ticks(DatetimeColumn),
    DurationColumn.type: _ticks(DurationColumn),
    IdentifierColumn.type: _unspoken(_made_up),
    TextColumn.type: _unspoken(lambda field: TextColumn()),
}
"""Column type -> how it is learnt from noisy counts."""


# -- numbers ----------------------------------------------------------------------------------------------------------


def _decimals(number: np.ndarray, dtype: Any, counter: _Counter) -> int | None:
    """The fewest decimals that write all but a few values, up to 6; None for true floats."""
    narrow = {2: np.float16, 4: np.float32}.get(getattr(dtype, "itemsize", 8), np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        exact = [
            (np.abs(number) < 2.0**53 / 10.0**decimals) & (np.round(number, decimals).astype(narrow) == number)
            for decimals in range(7)
        ]
    found = _coarsest([*exact, np.ones(len(number), bool)], counter)
    return found if found < len(exact) else None


def _coarsest(fits: Sequence[np.ndarray], counter: _Counter) -> int:
    """The first of several grids, the coarsest first, on which all rows lie but so few that they may be noise."""
    fits_KB = np.stack(fits)
    count_K = counter.count(np.where(fits_KB.any(0), fits_KB.argmax(0), len(fits_KB) - 1), len(fits_KB))
    finer_K = count_K.sum() - count_K.cumsum()
    return int(np.flatnonzero(finer_K < counter.sure * len(count_K) ** 0.5)[0])


def _scale(
    x: np.ndarray, missing: int, whole: bool, options: Options, counter: _Counter
) -> tuple[QuantileScale, np.ndarray, float]:
    """A quantile function from counts in stretches: the dyadic ones first, and those of many rows cut ever finer.

    A stretch is cut where its parts will still stand out of the noise; what stands out nowhere is no part of the range.
    """
    edge = _dyadic(whole)
    alive, count_K = np.ones(len(edge) - 1, bool), np.zeros(len(edge) - 1)
    for depth in range(_DEPTH + 1):
        edge, parent = _cut(edge, alive & (count_K >= _HEAVY * counter.noise), whole)
        alive = alive[parent]
        bin_B = np.clip(np.searchsorted(edge, x, side="right") - 1, 0, len(edge) - 2)
        bin_B = np.append(bin_B, np.full(missing, len(edge) - 1))
        *counts, gaps = counter.count(bin_B, len(edge)).tolist()
        count_K = np.array(counts)
        alive &= count_K >= (counter.sure if depth == 0 else counter.noise)
        if not alive.any():
            alive[count_K.argmax()] = True
    left, right, count_K = edge[:-1][alive], edge[1:][alive], np.maximum(count_K[alive], 1.0)
    scale, count_K = _quantiles(left, right, count_K, whole, options.cells)
    return scale, count_K, gaps


def _dyadic(whole: bool) -> np.ndarray:
    """The ends of stretches, each twice as long as the one before it, to both sides of 0."""
    power = 2.0 ** np.arange(0 if whole else _TINY, 64)
    return np.concatenate([-power[::-1], [0.0] * whole, power])


def _cut(edge: np.ndarray, heavy: np.ndarray, whole: bool) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the stretches with the heavy ones cut into equal parts, and which one each of them is a part of."""
    if not whole:
        heavy = heavy & (edge[1:] != 2.0**_TINY)
    more = np.linspace(edge[:-1][heavy], edge[1:][heavy], _PARTS + 1)[1:-1].ravel()
    finer = np.union1d(edge, np.rint(more) if whole else more)
    return finer, np.searchsorted(edge, finer[:-1], side="right") - 1


def _quantiles(
    left: np.ndarray, right: np.ndarray, count_K: np.ndarray, whole: bool, cells: int
) -> tuple[QuantileScale, np.ndarray]:
    """The scale made of such stretches [left, right), and how many rows take each of its choices."""
    single = right - left == 1 if whole else right == 2.0**_TINY  # that around 0, which stands for 0
    atom = single & ((count_K * cells >= count_K.sum()) | (single.all() and len(left) <= cells))
    low, high = float(left[0]), float(right[-1] - whole)
    atoms, rest = left[atom] if whole else np.zeros(int(atom.sum())), count_K[~atom].sum()
    if not len(count_K[~atom]):
        return QuantileScale(whole, low, high, 0, atoms, np.zeros(0), np.zeros(0), 0.0), count_K
    cells = max(1, round(cells * rest / count_K.sum()))
    half = 0.5 if whole else 0.0
    knot_x = np.stack([left[~atom] - half, right[~atom] - half], 1).ravel()
    after = count_K[~atom].cumsum() / rest
    knot_u = np.stack([np.append(0.0, after[:-1]), after], 1).ravel()
    knot_u[-1] = 1.0
    fresh = np.append(True, (np.diff(knot_x) > 0) | (np.diff(knot_u) > 0))
    scale = QuantileScale(whole, low, high, cells, atoms, knot_x[fresh], knot_u[fresh], 0.0)
    return scale, np.concatenate([np.full(cells, rest / cells), count_K[atom]])
