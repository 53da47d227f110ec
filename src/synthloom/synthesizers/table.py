"""Synthetic tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import pandas as pd
import torch

from synthloom import rng, sources
from synthloom.codecs.columns import Options
from synthloom.codecs.conditions import Conditions, Demands, NoGaps, dealt, shares_of
from synthloom.codecs.rules import Rules, RuleText
from synthloom.codecs.table import TableCodec, overwritten, pack, unpack
from synthloom.errors import DataError, UsageError
from synthloom.likelihoods import RowLikelihood
from synthloom.models import TableModel
from synthloom.schema import Overrides, Schema
from synthloom.spec import TableBatch, TableSpec
from synthloom.synthesizers import large
from synthloom.synthesizers.base import Lesson, Shards, Synthesizer
from synthloom.synthesizers.given import draw_given
from synthloom.synthesizers.private import private_lesson

__all__ = ["TableSynthesizer"]

_GUESSES = 25
"""Draws of which a best guess is made."""

_CELLS_AT_ONCE = 1 << 19
"""Cells that go through the network at once, at most, if that is a row or more."""

TRIES = 200
"""How many rows are drawn for each that is wanted, at most, before it is said that what is demanded cannot be had."""


class TableSynthesizer(Synthesizer[pd.DataFrame]):
    """Fit on a real table, draw synthetic rows.

    >>> from synthloom import datasets
    >>> real = datasets.visits(400)
    >>> table = TableSynthesizer("tvae", seed=0, epochs=3).fit(real)
    >>> fake = table.sample(100, seed=1)
    >>> bool((fake.dtypes == real.dtypes).all())
    True
    >>> set(table.sample(20, given={"ward": "surgery"}, seed=1)["ward"])
    {'surgery'}

    `rules` hold in every row that is drawn or filled: `["admitted <= discharged", "fixed(country, city)"]`, see
    `codecs.rules`.
    """

    kind: ClassVar[str] = "table"
    model: TableModel

    def __init__(
        self,
        model: str | None = None,
        *,
        seed: int | None = None,
        schema: Overrides | None = None,
        rules: Sequence[RuleText] = (),
        **knobs: Any,
    ) -> None:
        super().__init__(model, seed=seed, **knobs)
        self.schema = schema
        if isinstance(rules, str):
            raise UsageError(f"rules must be a list of rules, however: it is one text; write rules=[{rules!r}]")
        self.rules = list(rules)

    @property
    def schema_(self) -> Schema:
        """What each column was found to be."""
        self._assert_fitted()
        return self.codec_.schema_

    # -- drawing ----------------------------------------------------------------------------------------------------

    def sample(
        self,
        n: int | None = None,
        *,
        given: Mapping[Any, Any] | pd.DataFrame | None = None,
        balance: Mapping[Any, Any] | None = None,
        prior: str | None = None,
        seed: int | None = None,
    ) -> pd.DataFrame:
        """n synthetic rows; with `given`, rows of which something is known, or one for each row of a data frame.

        What all rows shall have is a value, a list or set of values, or a range: `{"ward": ["surgery", "emergency"],
        "age": (30, 40), "cost": (1_000, None), "tumour_marker": None}`. Both ends of a range belong to it, None leaves
        one open, and as a value it is a gap. These must be such as the model may give out. In a data frame anything may
        stand: it stays as it is, gaps are filled, and what the model has never learnt does not bear on the rest of its
        row. `balance` says in which shares values shall come: `{"readmitted": {"yes": 0.5, "no": 0.5}}`, or
        `{"readmitted": "even"}`. Codes come from the learned prior where the model has one; `prior="standard"` takes
        the latent's own.
        """
        return self._join(list(self.stream(n, given=given, balance=balance, prior=prior, seed=seed)))

    def shards(
        self,
        n: int | None = None,
        *,
        given: Mapping[Any, Any] | pd.DataFrame | None = None,
        balance: Mapping[Any, Any] | None = None,
        prior: str | None = None,
        seed: int | None = None,
    ) -> Shards[pd.DataFrame]:
        """`sample` in parts of at most `SHARD` rows, each made when it is asked for."""
        self._assert_fitted()
        if isinstance(given, pd.DataFrame):
            if n not in (None, len(given)):
                raise UsageError(f"with a data frame as given, n must be its length {len(given)}, however: n={n}")
            n = len(given)
            self.rules_.assert_kept(given)
        elif (given or balance) and n is None:
            raise UsageError("with conditions, the number of rows must be said too, however: n is None")
        learned = self._learned(prior)
        number = rng.fresh_seed() if seed is None else seed

        def make(shard: int, rows: int) -> pd.DataFrame:
            part = given.iloc[shard * self.SHARD :][:rows] if isinstance(given, pd.DataFrame) else given
            return self.shard(shard, rows, number, part, balance=balance, learned=learned)

        shards = self._shards(n, make)
        self._read_given(0, given, balance, number)  # refuses at once what cannot be
        self.rules_.begin()
        return shards

    def assert_apart(self) -> None:
        self.rules_.assert_apart()

    @torch.inference_mode()
    def shard(
        self,
        shard: int,
        rows: int,
        seed: int,
        given: Mapping[Any, Any] | pd.DataFrame | None = None,
        *,
        balance: Mapping[Any, Any] | None = None,
        learned: bool = True,
    ) -> pd.DataFrame:
        """Shard number `shard` of a sample: a pure function of the model and these arguments."""
        self._assert_fitted()
        demands, known = self._read_given(rows, given, balance, rng.mix(seed, "balance", shard))
        with rng.seeded(seed, "shard", shard):
            drawn = self._draw_rows(rows, known, demands, learned=learned)
        frame = self._as_demanded(drawn, known, demands, start=shard * self.SHARD, seed=seed)
        frame.index = pd.RangeIndex(shard * self.SHARD, shard * self.SHARD + rows, name=frame.index.name)
        return frame

    @torch.inference_mode()
    def impute(self, rows: Any, n: int | None = None, *, how: str = "draw", seed: int | None = None) -> pd.DataFrame:
        """The rows with their gaps filled; index, dtypes and all cells that were there stay as they are.

        `how="draw"` fills a gap with a draw from what the model holds possible given the rest of its row, so that a
        column's spread stays what it was; with `n`, so many draws of the whole table come one below the other, numbered
        by an outer level of the index: multiple imputation. `how="best"` fills in a best guess, the commonest category
        and the mean of numbers and times among 25 draws. Gaps stay in identifiers and free text, of which the model
        knows nothing, and in columns that had no value in training.

        >>> from synthloom import datasets
        >>> real = datasets.visits(300)
        >>> table = TableSynthesizer("tvae", seed=0, epochs=3).fit(real)
        >>> int(table.impute(real)["tumour_marker"].isna().sum())
        0
        """
        self._assert_fitted()
        frame = self._items(rows)
        if how not in ("draw", "best") or (how == "best" and n is not None):
            raise UsageError(f'how must be "draw", or "best" and then without n, however: how={how!r}, n={n}')
        if n is not None and (isinstance(n, bool) or not isinstance(n, int) or n < 1):
            raise UsageError(f"n must be a whole number of 1 or more, however: n={n!r}")
        seed = rng.fresh_seed() if seed is None else seed
        draws = _GUESSES if how == "best" else n or 1
        filled = [frame.copy() for _ in range(n or 1)]
        holes = {c: frame.iloc[:, c].isna().to_numpy(bool) for c in self.codec_.fillable(frame)}
        holed = np.flatnonzero(np.any([np.zeros(len(frame), bool), *holes.values()], axis=0))
        self.rules_.assert_kept(frame)
        rules = self.rules_.of_single_rows()
        size = max(1, self.SHARD // draws)
        for start in range(0, len(holed), size):
            part = holed[start : start + size]
            known = frame.iloc[part.repeat(draws)].reset_index(drop=True)
            with rng.seeded(seed, "impute", start):
                drawn = self._draw_rows(len(known), known, Demands(NoGaps(self.codec_), rules), each=1)
            guess = self.codec_.decode(drawn)
            if how == "best":
                guess = self._best(guess, known, draws, rules)
            for k, copy in enumerate(filled):
                for c, hole in holes.items():
                    cells = guess[frame.columns[c]].iloc[k :: len(filled)].loc[hole[part]]
                    copy.isetitem(c, overwritten(copy.iloc[:, c], part[hole[part]], cells))
        return filled[0] if n is None else pd.concat(filled, keys=range(n), names=["draw", *frame.index.names])

    def _best(self, drawn: pd.DataFrame, known: pd.DataFrame, draws: int, rules: Rules) -> pd.DataFrame:
        """The best guess of each row, of which so many draws lie one after the other; a draw where it broke a rule."""
        single = drawn.iloc[::draws].reset_index(drop=True)
        best = single.copy()
        for c in self.codec_.fillable(known):
            name, gap = known.columns[c], known.iloc[::draws, c].isna().to_numpy(bool)
            guess = self.codec_.best(name, drawn[name], draws)
            best.isetitem(list(best.columns).index(name), overwritten(best[name], gap, guess[gap]))
        good = rules.holds(best)
        return pd.concat([best[good], single[~good]]).sort_index()

    # -- conditions -------------------------------------------------------------------------------------------------

    def _read_given(
        self, rows: int, given: Mapping[Any, Any] | pd.DataFrame | None, balance: Mapping[Any, Any] | None, seed: int
    ) -> tuple[Demands, pd.DataFrame | None]:
        """What rows must keep to, and the cells that are known of each of them."""
        if isinstance(given, pd.DataFrame):
            if balance:
                raise UsageError(
                    "a balance must be of rows that are not given one by one, however: given is a data frame"
                )
            return Demands(self.rules_), given.reset_index(drop=True)
        conditions = Conditions(self.codec_, given or {})
        demands = Demands(*([conditions] if given else []), self.rules_)
        cells = {name: [value] * rows for name, value in conditions.known.items()}
        possible = {name: [value] for name, value in conditions.known.items()}
        for i, (name, said) in enumerate((balance or {}).items()):
            if name in (given or {}):
                raise UsageError(f"a column must be given or balanced, however: {name!r} is both")
            shares = shares_of(self.codec_, name, said)
            cells[name], possible[name] = dealt(shares, rows, rng.generator(seed, i)), list(shares)
        for name, values in possible.items():
            self.codec_.encode(self._raw(name, values).to_frame(), strict=True, partial=True, spread=False)
        known = {name: self._raw(name, values) for name, values in cells.items()}
        return demands, pd.DataFrame(known, index=range(rows)) if known else None

    def _raw(self, name: Any, values: list[Any]) -> pd.Series:
        return pd.Series(values, name=name, dtype=object if self.schema_[name].dtype == "category" else None)

    def _draw_rows(
        self, rows: int, known: pd.DataFrame | None, demands: Demands, *, learned: bool = True, each: int = 16
    ) -> TableBatch:
        """Draw until all rows keep to what is demanded.

        Limits hold as a row is drawn; what cannot be said as a limit, or is missed by a rounding error, is drawn again.
        `kept_share_` says what share of the rows drawn could be kept.
        """
        given = None if known is None else self.codec_.encode(known, partial=True, spread=False)
        pending, times, drawn = np.arange(rows), 1, 0
        kept, places = [], []
        while len(pending):
            if drawn >= TRIES * rows:
                raise DataError(
                    f"what is demanded must be within the model's reach, however: of {rows:,} rows that were wanted "
                    f"{len(pending):,} are missing after {drawn:,} draws; {demands.worst()}"
                )
            place = pending.repeat(times)
            told = None if given is None else given.take(torch.from_numpy(place))
            batch = self._draw_once(told, len(place), demands, learned, each)
            like = None if known is None else known.iloc[place].reset_index(drop=True)
            frame = self._as_demanded(batch, like, demands) if demands else None
            good = np.ones(len(place), bool) if frame is None else demands.holds(frame)
            drawn += len(place)
            # of several tries at a row the first that is good
            done, first = np.unique(place[good], return_index=True)
            if frame is not None:
                demands.kept(frame.iloc[np.flatnonzero(good)[first]])
            kept.append(batch.take(torch.from_numpy(np.flatnonzero(good)[first])))
            places.append(done)
            pending = np.setdiff1d(pending, done)
            times = int(np.clip(len(place) / max(1, good.sum()), 1, max(1, self.SHARD // max(1, len(pending)))))
        self.kept_share_ = rows / max(1, drawn)
        if not kept:
            return TableBatch.unknown(0, len(self._spec().blocks))
        return TableBatch.cat(kept).take(torch.from_numpy(np.concatenate(places).argsort()))

    def _draw_once(self, given: TableBatch | None, rows: int, demands: Demands, learned: bool, each: int) -> TableBatch:
        """Rows within the limits of what is demanded, without a look back."""
        net = self._assert_fitted()
        if given is None and not demands.first:
            codes = (net.prior(len(c), learned=learned).draw() for c in torch.split(torch.arange(rows), self._at_once))
            likes = (cast("RowLikelihood", net.generate(code)) for code in codes)
            parts = [like.draw(limits=demands if demands else None) for like in likes]
            return TableBatch.cat(parts).to(torch.device("cpu"))
        if given is None:
            given = TableBatch.unknown(rows, len(self._spec().blocks))
        drawn, self.given_share_ = draw_given(
            net, given.to(self.device), demands, demands.first, learned=learned, at_once=self._at_once, each=each
        )
        return drawn.to(torch.device("cpu"))

    def _as_demanded(
        self, drawn: TableBatch, known: pd.DataFrame | None, demands: Demands, *, start: int = 0, seed: int = 0
    ) -> pd.DataFrame:
        """Drawn rows as the user will see them."""
        frame = self.codec_.decode(drawn, start=start, seed=seed)
        for name, cells in () if known is None else known.items():
            place, there = list(frame.columns).index(name), cells.notna().to_numpy(bool)
            frame.isetitem(place, overwritten(frame.iloc[:, place], there, cells[there]))
        return demands.finish(frame)

    # -- what the base asks for -------------------------------------------------------------------------------------

    @property
    def _at_once(self) -> int:
        """Fewer rows of a wide table: what a model remembers of each cell as it writes takes two kilobytes."""
        return min(self.BATCH, max(1, _CELLS_AT_ONCE // max(1, len(self._spec().blocks))))

    def _items(self, data: Any) -> pd.DataFrame:
        if isinstance(data, pd.Series):
            return data.to_frame().T.infer_objects()
        return pd.DataFrame([data]) if isinstance(data, Mapping) else _as_frame(data)

    def _encode(self, items: pd.DataFrame) -> TableBatch:
        return self.codec_.encode(items, spread=False)

    def _decode(self, parts: Sequence[TableBatch], like: pd.DataFrame | None = None) -> pd.DataFrame:
        frame = self._join([self.codec_.decode(TableBatch.cat(parts))] if parts else [])
        frame.index = pd.RangeIndex(len(frame)) if like is None else like.index
        return frame

    def _learn_codec(self, data: Any, seed: int) -> TableBatch:
        df = _as_frame(data)
        self.codec_ = TableCodec(self._options, self.schema, rng.mix(seed, "codec")).fit(df)
        self._learn_rules(df)
        return self.codec_.encode(df)

    def _learn_rules(self, df: pd.DataFrame) -> None:
        self._refuse_nothing()
        self.rules_ = Rules(self.codec_, self.rules)
        self._remarks = self.rules_.learn(df)

    def _lesson(self, data: Any, seed: int, resumed: Path | None) -> Lesson:
        if self.model.epsilon is None:
            data = large.read(data, rng.mix(seed, "codec"))
            if not isinstance(data, large.LargeTable):
                return super()._lesson(data, seed, resumed)
            self.codec_ = TableCodec(self._options, self.schema, rng.mix(seed, "codec"))
            data.fit(self.codec_)
            self._learn_rules(data.sample)
            self._remarks += [data.note]
            return Lesson(data.encode(self.codec_), seed, shown=data.shown(self.codec_))
        self.codec_, lesson = private_lesson(_as_frame(data), self.schema, self._options, self.model, seed, resumed)
        self._refuse_nothing()
        self.rules_ = Rules(self.codec_, self.rules)
        self._remarks = self.rules_.trust()
        return lesson

    @property
    def _options(self) -> Options:
        model = self.model
        return Options(protect=model.protect, numbers=model.codec, cells=model.cells, common=model.common)

    def _refuse_nothing(self) -> None:
        if not self.codec_.spec.blocks:
            raise DataError("some column must be worth learning, however: all are constant, identifiers or text")

    def _examine(self, batch: Any, seed: int) -> list[str]:
        return [*self._remarks, *super()._examine(batch, seed)]

    def _draw(self, code: Any, temperature: float, like: Any) -> TableBatch:
        """... Within the limits that rules set."""
        rows = cast("RowLikelihood", self._assert_fitted().generate(code))
        return rows.draw(temperature=temperature, limits=Demands(self.rules_) if self.rules_ else None)

    def _codec_info(self) -> dict[str, Any]:
        return {
            "columns": {str(f.name): f.type for f in self.codec_.schema_.fields},
            "notices": {str(name): notice for name, notice in self.codec_.notices.items()},
            "rules": [rule.text for rule in self.rules_.rules],
        }

    def _codec_state(self) -> tuple[dict[str, Any], Mapping[str, Any]]:
        document, arrays = self.codec_.state()
        rules = pack(self.rules_.state(), "rules", arrays)
        return document | {"rules": rules}, arrays

    def _load_codec(self, document: Mapping[str, Any], arrays: Mapping[str, torch.Tensor]) -> None:
        plain = {name: tensor.numpy() for name, tensor in arrays.items()}
        self.codec_ = TableCodec.load(document, plain)
        self.rules_ = Rules.load(self.codec_, unpack(document.get("rules", []), "rules", plain))
        self.rules = [rule.text for rule in self.rules_.rules]

    def _spec(self) -> TableSpec:
        return self.codec_.spec

    def _activations(self, spec: TableSpec) -> int:
        return 6 * sum(base for block in spec.blocks for _, base in block.digits)

    def _join(self, frames: list[pd.DataFrame]) -> pd.DataFrame:
        if not frames:
            return self.codec_.decode(TableBatch.unknown(0, len(self._spec().blocks)))
        return frames[0] if len(frames) == 1 else pd.concat(frames)


def _as_frame(data: Any) -> pd.DataFrame:
    """A data frame from a frame, a path, or an iterable of frames."""
    if isinstance(data, pd.DataFrame):
        return data
    if isinstance(data, (str, Path)):
        return sources.read_table(data)
    if isinstance(data, Iterable):
        parts = list(data)
        if parts and all(isinstance(part, pd.DataFrame) for part in parts):
            return pd.concat(parts, ignore_index=True)
    raise DataError(
        f"a table must be a DataFrame, a path, or an iterable of DataFrames, however: it is a {type(data).__name__}"
    )
