"""Tables to tensors and back: finds out what each column is, learns it, encodes, decodes, and remembers in plain data.

Missing cells are modelled here, once for all column types: the last choice of a column is "missing", and columns that
always miss together share one such choice, so that their pattern cannot come apart.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Self

import numpy as np
import pandas as pd
import torch

from synthloom import rng
from synthloom.codecs.columns import COLUMNS, RARE, Column, Encoded, Options, detect, example
from synthloom.codecs.columns.constant import ConstantColumn
from synthloom.codecs.columns.identifier import IdentifierColumn
from synthloom.codecs.dtypes import cast, refuse_unsupported
from synthloom.errors import DataError
from synthloom.schema import Field, Name, Overrides, Schema, read_overrides
from synthloom.spec import Block, Limit, TableBatch, TableSpec

__all__ = ["Gaps", "TableCodec", "check_frame", "overwritten", "pack", "plain_name", "unpack"]


class TableCodec:
    """Both directions between a data frame and a `TableBatch`.

    >>> df = pd.DataFrame({"age": [31, 42, 27, 42, 31] * 9, "sex": ["f", "m", "f", "m", "f"] * 9})
    >>> codec = TableCodec().fit(df)
    >>> [field.type for field in codec.schema_.fields]
    ['number', 'category']
    >>> bool((codec.decode(codec.encode(df)) == df).all(axis=None))
    True
    """

    def __init__(self, options: Options | None = None, schema: Overrides | None = None, seed: int = 0) -> None:
        self.options = options or Options()
        self.schema = schema
        self.seed = seed

    def fit(
        self, df: pd.DataFrame, *, gaps: Gaps | None = None, whole: Callable[[int], pd.Series] | None = None
    ) -> Self:
        """Detect what every column is and learn how to encode it.

        `df` may be a sample of the rows: `gaps` are then those of the whole table, and `whole` gives a whole column.
        """
        check_frame(df, self.options)
        names = [plain_name(name) for name in df.columns]
        said = read_overrides(self.schema, names, COLUMNS)
        fields, self.columns_ = [], list[Column]()
        for i, name in enumerate(names):
            series = df.iloc[:, i]
            refuse_unsupported(series, name)
            field = detect(series, name, said.get(name, {}))
            if whole is not None and (field.type == IdentifierColumn.type or _may_count_rows(series)):
                series = whole(i)
                field = detect(series, name, said.get(name, {}))
            present = series[series.notna()].reset_index(drop=True)
            if self.options.protect and 0 < len(present) < RARE:  # nothing of it may be given out
                field = dataclasses.replace(field, type=ConstantColumn.type, facts={})
            fields.append(field)
            stream = rng.generator(self.seed, "fit", i)
            self.columns_.append(COLUMNS[field.type].fit(present, field, self.options, stream))
        self.schema_ = Schema(tuple(fields), plain_name(df.columns.name), plain_name(df.index.name))
        self.leaders_ = (gaps or Gaps.of(df)).leaders
        return self

    @property
    def spec(self) -> TableSpec:
        """What a network may know: one block per column that has anything to say."""
        blocks = tuple(self._block(i) for i in self.spoken)
        return TableSpec(blocks, bounded=self.options.numbers == "gmm")

    @property
    def notices(self) -> dict[Name, str]:
        """What was kept back, column by column."""
        pairs = zip(self.schema_.names, self.columns_, strict=True)
        return {name: notice for name, column in pairs if (notice := column.notice())}

    def encode(
        self,
        df: pd.DataFrame,
        *,
        strict: bool = False,
        partial: bool = False,
        gaps: bool | None = None,
        spread: bool = True,
        start: int = 0,
    ) -> TableBatch:
        """Rows as a batch. What was never learnt is not known, or refused if `strict`.

        With `partial` columns may be absent, and missing cells are unknown rather than known to be missing, unless
        `gaps` says otherwise. To train on, whole numbers and ties are `spread` over the stretch that is theirs; to look
        at, they stand in its middle, and what a row becomes depends on nothing but the row. `start` is the number of
        the first row, where a table is encoded in parts.
        """
        names = self._check_columns(df, partial)
        gaps = not partial if gaps is None else gaps
        spoken = {i: k for k, i in enumerate(self.spoken)}
        shape = (len(df), len(spoken))
        choice, value, known = np.zeros(shape, np.int64), np.zeros(shape, np.float32), np.zeros(shape, bool)
        for i, name in enumerate(self.schema_.names):
            if name not in names or (i not in spoken and not strict):
                continue
            encoded, present = self._encode_column(i, df.iloc[:, names[name]], strict, spread, start)
            if i not in spoken:
                continue
            k = spoken[i]
            choice[present, k], value[present, k], known[present, k] = encoded.choice, encoded.value, encoded.known
            if self._has_missing(i) and gaps:
                choice[~present, k], known[~present, k] = self.columns_[i].choices, True
        return TableBatch(torch.from_numpy(choice), torch.from_numpy(value), torch.from_numpy(known))

    def decode(self, batch: TableBatch, *, start: int = 0, seed: int = 0) -> pd.DataFrame:
        """A batch as a data frame with the dtypes, names and order of the one that was fitted.

        `start` is the number of the first row, from which identifiers are made; where they repeat, `seed` says which.
        """
        choice, value = batch.choice_BC.cpu().numpy(), batch.value_BC.cpu().numpy()
        row = np.arange(start, start + len(choice))
        place = {i: k for k, i in enumerate(self.spoken)}
        holes = {i: choice[:, k] == self.columns_[i].choices for i, k in place.items() if self._has_missing(i)}
        parts = []
        for i, (field, column) in enumerate(zip(self.schema_.fields, self.columns_, strict=True)):
            leader = self.leaders_[i]
            if column.choices == 0:
                missing = np.ones(len(row), bool)
            else:
                missing = np.zeros(len(row), bool) if leader is None else holes[leader]
            own = np.minimum(choice[:, place[i]], column.choices - 1) if i in place else np.zeros(len(row), np.int64)
            number = value[:, place[i]] if i in place else np.zeros(len(row), np.float32)
            parts.append(_as_series(column.decode(np.maximum(own, 0), number, row, seed), missing, field))
        frame = pd.concat(parts, axis=1)
        names = self.schema_.names
        # beside text pandas would turn a name of None into NaN
        frame.columns = pd.Index(names, dtype=object if None in names else None, name=self.schema_.columns_name)
        frame.index.name = self.schema_.index_name
        return frame

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """All that was learnt, as JSON and named arrays."""
        arrays: dict[str, np.ndarray] = {}
        document = {
            "options": vars(self.options),
            "seed": self.seed,
            "schema": self.schema_.to_json(),
            "leaders": self.leaders_,
            "columns": [pack(column.state(), f"{i}", arrays) for i, column in enumerate(self.columns_)],
        }
        return document, arrays

    @classmethod
    def load(cls, document: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of `state`."""
        codec = cls(Options(**document["options"]), seed=document["seed"])
        codec.schema_ = Schema.from_json(document["schema"])
        codec.leaders_ = list(document["leaders"])
        codec.columns_ = [
            COLUMNS[field.type].load(unpack(state, f"{i}", arrays))
            for i, (field, state) in enumerate(zip(codec.schema_.fields, document["columns"], strict=True))
        ]
        return codec

    # -- limits -----------------------------------------------------------------------------------------------------

    def column(self, name: Name) -> Column:
        """What was learnt of the column called `name`."""
        self.schema_[name]  # refuses a name that is not there
        return self.columns_[self.schema_.names.index(name)]

    def assert_can_be_given(self, name: Name) -> None:
        """Refuse conditions on what the network does not speak of."""
        if self.schema_[name].type in ("identifier", "text"):
            raise DataError(f"column {name!r} is made anew for each row, so nothing can be given for it")

    def can_miss(self, name: Name) -> bool:
        """Whether cells of the column may be missing."""
        return self.leaders_[self.schema_.names.index(name)] is not None

    def limits(self, name: Name, own: Limit | None, *, gaps: bool) -> Iterator[tuple[int, Limit]]:
        """A limit on what a column may say (None: nothing), and whether it may be missing, as limits of the network's
        columns: where columns are always missing together, the first of them says so."""
        i = self.schema_.names.index(name)
        leader, place = self.leaders_[i], {i: k for k, i in enumerate(self.spoken)}
        if i in place and (own is not None or leader == i):
            limit = Limit.of(torch.zeros(1, self.columns_[i].choices, dtype=torch.bool)) if own is None else own
            yield place[i], self._with_gaps(i, limit, gaps)
        if leader is not None and leader != i and leader in place and not (gaps and own is not None):
            whole = torch.full((1, self.columns_[leader].choices), not gaps)
            yield place[leader], self._with_gaps(leader, Limit.of(whole), gaps)

    def place(self, name: Name) -> int | None:
        """Which of the network's columns it is, if any."""
        i = self.schema_.names.index(name)
        return self.spoken.index(i) if i in self.spoken else None

    def name_at(self, c: int) -> Name:
        """What the network's column c is called."""
        return self.schema_.names[self.spoken[c]]

    def measured(self, frame: pd.DataFrame, names: Iterable[Name]) -> dict[Name, pd.Series]:
        """Raw columns as what cells are compared by: numbers, times, and otherwise themselves; gaps stay gaps."""
        cells = {name: frame[name] for name in names}
        return {name: self.column(name).measure(own[own.notna()]).reindex(own.index) for name, own in cells.items()}

    def written(self, name: Name, batch: TableBatch) -> pd.Series:
        """The same of encoded rows; where a cell is not known there is a gap."""
        i = self.schema_.names.index(name)
        leader, rows = self.leaders_[i], len(batch)
        if (k := self.place(name)) is None:
            return pd.Series(np.full(rows, np.nan))
        choice, value, known = (part[:, k].cpu().numpy() for part in (batch.choice_BC, batch.value_BC, batch.known_BC))
        if leader is not None and (lead := self.place(self.schema_.names[leader])) is not None:
            known = known & (batch.choice_BC[:, lead].cpu().numpy() < self.columns_[leader].choices)
        column = self.columns_[i]
        raw = column.decode(np.minimum(choice, column.choices - 1), value, np.zeros(rows, np.int64), 0)
        return column.measure(pd.Series(raw)[known]).reindex(range(rows))

    def keys(self, name: Name, choice: np.ndarray, value: np.ndarray) -> np.ndarray:
        """One number for each different value that encoded cells of a column stand for."""
        column = self.column(name)
        if not column.numbered:
            return choice.astype(np.float64)
        own = np.minimum(choice, column.choices - 1)
        measured = column.measure(pd.Series(column.decode(own, value, np.zeros(len(choice), np.int64), 0)))
        key = (measured.astype(np.int64) if measured.dtype.kind in "mM" else measured).to_numpy(np.float64)
        return np.where((choice >= column.choices) | ~np.isfinite(key), -1e300 - 1e298 * choice, key)

    def exactly(self, name: Name, choice: np.ndarray, value: np.ndarray) -> Limit:
        """For each of some encoded cells the limit that allows its value alone."""
        i = self.schema_.names.index(name)
        column, block = self.columns_[i], self._block(i)
        single = Limit.of(torch.from_numpy(choice[:, None] == np.arange(block.choices)))
        if not column.numbered:
            return single
        own = np.minimum(choice, column.choices - 1)
        ends = column.measure(pd.Series(column.decode(own, value, np.zeros(len(choice), np.int64), 0), name=name))
        around = self._with_gaps(i, column.between(ends, ends), gaps=False)
        odd = torch.from_numpy(ends.isna().to_numpy(bool) | (choice >= column.choices))[:, None]
        return Limit(
            torch.where(odd, single.open_BK, around.open_BK),
            around.choice_BP,
            around.low_BP.masked_fill(odd, math.inf),
            around.high_BP,
        )

    def with_gaps(self, c: int, limit: Limit) -> Limit:
        """A limit of the values of the network's column c, by which it may also be missing."""
        return self._with_gaps(self.spoken[c], limit, gaps=True)

    def no_gaps(self) -> Iterator[tuple[int, Limit]]:
        """Limits under which nothing is missing."""
        for k, i in enumerate(self.spoken):
            if self._has_missing(i):
                whole = torch.ones(1, self.columns_[i].choices, dtype=torch.bool)
                yield k, self._with_gaps(i, Limit.of(whole), gaps=False)

    def fillable(self, df: pd.DataFrame) -> list[int]:
        """Which columns of `df` hold what the codec can make for a gap."""
        fields = [self.schema_[name] for name in df.columns]
        made_up = ("identifier", "text")
        return [c for c, f in enumerate(fields) if f.type not in made_up and self.column(f.name).choices > 0]

    def best(self, name: Name, cells: pd.Series, draws: int) -> pd.Series:
        """The best guess of each cell, of which so many draws lie one after the other."""
        field, column = self.schema_[name], self.column(name)
        guess = column.best(cells.reset_index(drop=True), draws)
        return _as_series(guess, np.zeros(len(guess), bool), field)

    def _with_gaps(self, i: int, limit: Limit, gaps: bool) -> Limit:
        """A limit of a column as one of its block, which may have a choice for "missing"."""
        extra = self._block(i).choices - limit.open_BK.shape[1]
        gap_BK = torch.full((len(limit), extra), gaps and self._has_missing(i))
        return dataclasses.replace(limit, open_BK=torch.cat([limit.open_BK, gap_BK], 1))

    @property
    def spoken(self) -> list[int]:
        """The columns that leave something to say."""
        blocks = [self._block(i) for i in range(len(self.columns_))]
        return [i for i, block in enumerate(blocks) if block.choices > 1 or block.numbered]

    def _has_missing(self, i: int) -> bool:
        """Whether column i itself says that it is missing: it leads, and it is not missing everywhere."""
        return self.leaders_[i] == i and self.columns_[i].choices > 0

    def _block(self, i: int) -> Block:
        column = self.columns_[i]
        return Block(max(1, column.choices + self._has_missing(i)), column.numbered)

    def _encode_column(
        self, i: int, series: pd.Series, strict: bool, spread: bool, start: int
    ) -> tuple[Encoded, np.ndarray]:
        present = series.notna().to_numpy(bool)
        cells = series[present].reset_index(drop=True)
        if not len(cells):
            return Encoded.choices(np.zeros(0, np.int64)), present
        field = self.schema_.fields[i]
        part = [start] if start else []
        stream = rng.generator(self.seed, "encode", i, *part) if spread else rng.NO_CHANCE
        try:
            return self.columns_[i].encode(cells, stream, strict=strict), present
        except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(
                f"column {field.name!r} must hold what it held in training (a {field.type} of dtype {field.dtype}), "
                f"however: it is {series.dtype} with cells like {example(cells)}"
            ) from error

    def _check_columns(self, df: pd.DataFrame, partial: bool) -> dict[Name, int]:
        """Where each column of `df` stands."""
        _refuse_doubles(df)
        known = set(self.schema_.names)
        for name in df.columns:
            if name not in known:
                raise DataError(
                    f"only columns of training are known, however: {name!r} is none of {self.schema_.names}"
                )
        for name in self.schema_.names:
            if name not in df.columns and not partial:
                raise DataError(f"every column of training must be there, however: {name!r} is missing")
        return {name: i for i, name in enumerate(df.columns)}


def overwritten(cells: pd.Series, where: np.ndarray, values: pd.Series) -> pd.Series:
    """A column with these values there, to the letter, also where encoding would have rounded them."""
    column = cells.copy()
    column.iloc[where] = values.to_numpy(object) if column.dtype == object else values.astype(column.dtype).array
    return column.astype(cells.dtype)


def check_frame(df: pd.DataFrame, options: Options) -> None:
    if isinstance(df.columns, pd.MultiIndex):
        raise DataError("column names must be plain, however: they are a MultiIndex; flatten them first")
    if df.shape[1] == 0:
        raise DataError("a table must have at least one column, however: it has none")
    _refuse_doubles(df)
    fewest = 2 * RARE if options.protect else 2
    if len(df) < fewest:
        remedy = "add rows, or set protect=False" if options.protect and len(df) > 1 else "add rows"
        raise DataError(f"a table must have at least {fewest} rows, however: it has {len(df)}; {remedy}")


def _refuse_doubles(df: pd.DataFrame) -> None:
    twice = df.columns[df.columns.duplicated()]
    if len(twice):
        raise DataError(f"column names must be different, however: {twice[0]!r} stands there twice; rename one")


def plain_name(name: Any) -> Name:
    name = name.item() if isinstance(name, np.generic) else name
    if isinstance(name, (str, int, bool)) or name is None or (isinstance(name, float) and math.isfinite(name)):
        return name
    raise DataError(f"names must be text or numbers, however: {name!r} is a {type(name).__name__}; rename it")


class Gaps:
    """Where cells are missing, followed through a table frame by frame.

    >>> gaps = Gaps()
    >>> for frame in pd.DataFrame({"a": [1, 2], "b": [None, 2]}), pd.DataFrame({"a": [None, 2], "b": [None, 2]}):
    ...     gaps.add(frame)
    >>> gaps.leaders
    [0, 1]
    """

    def __init__(self) -> None:
        self._first: list[int] = []  # for each column the first one that has had exactly the same gaps
        self._any: list[bool] = []

    @classmethod
    def of(cls, df: pd.DataFrame) -> Self:
        gaps = cls()
        gaps.add(df)
        return gaps

    def add(self, df: pd.DataFrame) -> None:
        """Take the next rows into account."""
        before, found = self._first or [0] * df.shape[1], dict[tuple[int, bytes], int]()
        missing = [df.iloc[:, i].isna().to_numpy(bool) for i in range(df.shape[1])]
        self._first = [found.setdefault((before[i], np.packbits(own).tobytes()), i) for i, own in enumerate(missing)]
        self._any = [
            bool(own.any()) or had for own, had in zip(missing, self._any or [False] * len(missing), strict=True)
        ]

    @property
    def leaders(self) -> list[int | None]:
        """For each column with gaps the first one that has exactly the same gaps; None where nothing is missing."""
        return [first if some else None for first, some in zip(self._first, self._any, strict=True)]


def _may_count_rows(series: pd.Series) -> bool:
    """Whether it may number the rows, which a sample of them cannot tell: whole numbers that all differ."""
    return bool(pd.api.types.is_integer_dtype(series.dtype) and series.is_unique)


def _as_series(raw: np.ndarray | pd.Categorical, missing: np.ndarray, field: Field) -> pd.Series:
    if isinstance(raw, pd.Categorical):
        return pd.Series(raw).mask(missing)
    return cast(raw, missing, field.dtype, field.hole)


def pack(state: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
    """Lift the arrays out of nested plain data, leaving their names behind."""
    if isinstance(state, np.ndarray):
        arrays[name] = state
        return {"array": name}
    if isinstance(state, dict):
        return {key: pack(value, f"{name}.{key}", arrays) for key, value in state.items()}
    if isinstance(state, list) and any(isinstance(value, dict) for value in state):
        return [pack(value, f"{name}.{i}", arrays) for i, value in enumerate(state)]
    return state


def unpack(state: Any, name: str, arrays: Mapping[str, np.ndarray]) -> Any:
    if isinstance(state, dict):
        if set(state) == {"array"}:
            return arrays[state["array"]]
        return {key: unpack(value, f"{name}.{key}", arrays) for key, value in state.items()}
    if isinstance(state, list) and any(isinstance(value, dict) for value in state):
        return [unpack(value, f"{name}.{i}", arrays) for i, value in enumerate(state)]
    return state
