"""Synthetic tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch

from synthloom import rng, sources
from synthloom.codecs.columns import Options
from synthloom.codecs.table import TableCodec
from synthloom.errors import DataError, UsageError
from synthloom.models import TableModel
from synthloom.schema import Overrides, Schema
from synthloom.spec import TableBatch, TableSpec
from synthloom.synthesizers.base import Synthesizer

__all__ = ["TableSynthesizer"]

_POOL = 64
"""Codes among which those that carry a row's condition are looked for, at the least."""

_LARGEST_POOL = 16_384
"""... and at the most, however many rows share the condition."""


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
    """

    kind: ClassVar[str] = "table"
    model: TableModel

    def __init__(
        self,
        model: str | None = None,
        *,
        seed: int | None = None,
        schema: Overrides | None = None,
        **knobs: Any,
    ) -> None:
        super().__init__(model, seed=seed, **knobs)
        self.schema = schema

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
        prior: str | None = None,
        seed: int | None = None,
    ) -> pd.DataFrame:
        """n synthetic rows; with `given`, rows that have these values, or one row for each row of a data frame.

        A value given for all rows must be one that the model may give out. In a data frame anything may stand: it stays
        as it is, gaps are filled, and what the model has never learnt does not bear on the rest of its row.
        Codes come from the learned prior where the model has one; `prior="standard"` takes the latent's own instead.
        """
        return self._join(list(self.stream(n, given=given, prior=prior, seed=seed)))

    def stream(
        self,
        n: int | None = None,
        *,
        given: Mapping[Any, Any] | pd.DataFrame | None = None,
        prior: str | None = None,
        seed: int | None = None,
    ) -> Iterator[pd.DataFrame]:
        """`sample` in parts of at most `SHARD` rows, in constant memory."""
        self._assert_fitted()
        wanted = self._read_given(n, given)
        shards = self._shards(n if wanted is None else len(wanted))
        learned = self._learned(prior)
        seed = rng.fresh_seed() if seed is None else seed
        for shard, start, rows in shards:
            part = None if wanted is None else wanted.iloc[start : start + rows]
            yield self.shard(shard, rows, seed, part, learned=learned)

    @torch.inference_mode()
    def shard(
        self, shard: int, rows: int, seed: int, given: pd.DataFrame | None = None, *, learned: bool = True
    ) -> pd.DataFrame:
        """Shard number `shard` of a sample: a pure function of the model and these arguments."""
        net = self._assert_fitted()
        with rng.seeded(seed, "shard", shard):
            if given is None:
                codes = (net.prior(len(c), learned=learned).draw() for c in torch.split(torch.arange(rows), 4096))
                drawn = TableBatch.cat([net.generate(code).draw() for code in codes])
            else:
                drawn = self._draw_given(self.codec_.encode(given, partial=True, spread=False).to(self.device), learned)
        frame = self.codec_.decode(drawn, start=shard * self.SHARD, seed=seed)
        frame.index = pd.RangeIndex(shard * self.SHARD, shard * self.SHARD + rows, name=frame.index.name)
        return frame if given is None else _overwrite(frame, given)

    # -- conditions -------------------------------------------------------------------------------------------------

    def _draw_given(self, given: TableBatch, learned: bool) -> TableBatch:
        """Draw rows that agree with what `given` knows.

        Codes are drawn from the prior and chosen in proportion to how likely they make what is given; the rest of the
        row then follows from the code and from what is given. So nothing is rejected, and `given_share_` says what
        share of the codes carried the condition (their effective number over all): where it is tiny, rows that ask for
        it grow alike.
        """
        keys = torch.cat([given.choice_BC.double(), given.value_BC.double(), given.known_BC.double()], 1)
        _, group_B, rows_G = torch.unique(keys, dim=0, return_inverse=True, return_counts=True)
        drawn: list[TableBatch] = []
        order, shares = [], []
        # groups of about the same number of rows are served together, each from a pool that suits that number
        magnitude_G = rows_G.log2().div(2).ceil()
        for magnitude in magnitude_G.unique().tolist():
            most = int(4**magnitude)
            pool = min(max(_POOL, 16 * most), _LARGEST_POOL)
            alike = (magnitude_G == magnitude).nonzero()[:, 0]
            for part in torch.split(alike, max(1, _LARGEST_POOL // max(pool, most))):
                member = torch.isin(group_B, part).nonzero()[:, 0]
                place = torch.searchsorted(part, group_B[member])
                rows, share = self._draw_groups(given.take(member), place, len(part), pool, learned)
                drawn.append(rows)
                shares += share
                order.append(member)
        self.given_share_ = float(np.mean(shares))
        back = torch.cat(order).argsort()
        return TableBatch.cat(drawn).take(back)

    def _draw_groups(
        self, given: TableBatch, group_B: torch.Tensor, groups: int, pool: int, learned: bool
    ) -> tuple[TableBatch, list[float]]:
        """`_draw_given` for rows of so many groups, all rows of a group knowing the same."""
        net = self.net_
        order = group_B.argsort(stable=True)
        rows_G = torch.bincount(group_B, minlength=groups)
        begin_G = rows_G.cumsum(0) - rows_G
        rank_B = torch.empty_like(group_B)
        rank_B[order] = torch.arange(len(group_B), device=group_B.device) - begin_G.repeat_interleave(rows_G)
        told = given.take(order[begin_G].repeat_interleave(pool))
        flats, conditions, logs = [], [], []
        for part in torch.split(torch.arange(groups * pool), self.BATCH):
            code = net.prior(len(part), learned=learned).draw()
            flats.append(net.latent.flat(code))
            conditions.append(net.latent.condition(code))
            logs.append(net.generate(code).log_prob(told.take(part)))
        weight_GP = torch.softmax(torch.cat(logs).double().view(groups, pool), 1)
        # systematic draws: every code as often as it deserves, give or take one
        start_G = torch.rand(groups, dtype=torch.float64, device=group_B.device)
        step_GR = (torch.arange(int(rows_G.max()), device=group_B.device) + start_G[:, None]) / rows_G[:, None]
        chosen_GR = torch.searchsorted(weight_GP.cumsum(1), step_GR).clamp(max=pool - 1)
        chosen_B = group_B * pool + chosen_GR[group_B, rank_B]
        parts = []
        for index in torch.split(torch.arange(len(group_B)), self.BATCH):
            chosen = chosen_B[index]
            code = net.latent.unflat(torch.cat(flats)[chosen], torch.cat(conditions)[chosen])
            parts.append(net.generate(code).draw(given=given.take(index)))
        return TableBatch.cat(parts), (1 / weight_GP.square().sum(1) / pool).tolist()

    def _read_given(self, n: int | None, given: Mapping[Any, Any] | pd.DataFrame | None) -> pd.DataFrame | None:
        if given is None or (isinstance(given, Mapping) and not given):
            return None
        if isinstance(given, pd.DataFrame):
            if n is not None and n != len(given):
                raise UsageError(f"with a data frame as given, n must be its length {len(given)}, however: n={n}")
            return given.reset_index(drop=True)
        if n is None:
            raise UsageError("with given values, the number of rows must be said too, however: n is None")
        columns = {}
        for name, value in given.items():
            field = self.schema_[name]
            if field.type in ("identifier", "text"):
                raise DataError(f"column {name!r} is made anew for each row, so nothing can be given for it")
            columns[name] = pd.Series([value] * n, dtype=object if field.dtype == "category" else None)
        frame = pd.DataFrame(columns, index=range(n))
        self.codec_.encode(frame.head(1), strict=True, partial=True, spread=False)
        return frame

    # -- what the base asks for -------------------------------------------------------------------------------------

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
        model = self.model
        options = Options(protect=model.protect, numbers=model.codec, cells=model.cells, common=model.common)
        df = _as_frame(data)
        self.codec_ = TableCodec(options, self.schema, rng.mix(seed, "codec")).fit(df)
        if not self.codec_.spec.blocks:
            raise DataError("some column must be worth learning, however: all are constant, identifiers or text")
        return self.codec_.encode(df)

    def _codec_info(self) -> dict[str, Any]:
        return {
            "columns": {str(f.name): f.type for f in self.codec_.schema_.fields},
            "notices": {str(name): notice for name, notice in self.codec_.notices.items()},
        }

    def _codec_state(self) -> tuple[dict[str, Any], Mapping[str, Any]]:
        return self.codec_.state()

    def _load_codec(self, document: Mapping[str, Any], arrays: Mapping[str, torch.Tensor]) -> None:
        self.codec_ = TableCodec.load(document, {name: tensor.numpy() for name, tensor in arrays.items()})

    def _spec(self) -> TableSpec:
        return self.codec_.spec

    def _activations(self, spec: TableSpec) -> int:
        return 6 * sum(base for block in spec.blocks for _, base in block.digits)

    def _join(self, frames: list[pd.DataFrame]) -> pd.DataFrame:
        if not frames:
            types = torch.int64, torch.float32, torch.bool
            return self.codec_.decode(TableBatch(*(torch.zeros(0, len(self._spec().blocks), dtype=t) for t in types)))
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


def _overwrite(frame: pd.DataFrame, given: pd.DataFrame) -> pd.DataFrame:
    """What was given stands to the letter, also where encoding would have rounded it."""
    for name in given.columns:
        place = list(frame.columns).index(name)
        known = given[name].notna().to_numpy()
        column = frame.iloc[:, place].copy()
        column[known] = (
            given[name].to_numpy(object)[known]
            if column.dtype == object
            else (given[name].astype(column.dtype).array[known])
        )
        frame.isetitem(place, column.astype(frame.dtypes.iloc[place]))
    return frame
