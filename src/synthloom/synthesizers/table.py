"""Synthetic tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
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

__all__ = ["SHARD", "TableSynthesizer"]

SHARD = 10_000
"""Rows that are drawn from one stream of randomness: so any shard can be made alone, and rows do not depend on how
many there are."""

_POOL = 16_384
"""Codes among which those that carry a condition are looked for, at the least."""


class TableSynthesizer(Synthesizer):
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
        return _join(list(self.stream(n, given=given, prior=prior, seed=seed)), self.codec_)

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
        rows = len(wanted) if wanted is not None else n
        if isinstance(rows, bool) or not isinstance(rows, (int, np.integer)) or rows < 0:
            raise UsageError(f"the number of rows must be a whole number of 0 or more, however: n={n!r}")
        if prior not in (None, "standard", self.model.prior):
            raise UsageError(f'prior must be "standard" or the model\'s "{self.model.prior}", however: {prior!r}')
        learned = prior != "standard"
        seed = rng.fresh_seed() if seed is None else seed
        for shard, start in enumerate(range(0, int(rows), SHARD)):
            stop = min(start + SHARD, int(rows))
            part = None if wanted is None else wanted.iloc[start:stop]
            yield self.shard(shard, stop - start, seed, part, learned=learned)

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
        frame = self.codec_.decode(drawn, start=shard * SHARD, seed=seed)
        frame.index = pd.RangeIndex(shard * SHARD, shard * SHARD + rows, name=frame.index.name)
        return frame if given is None else _overwrite(frame, given)

    # -- the latent -------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def encode(self, df: pd.DataFrame | Path | str) -> np.ndarray:
        """The latent of each row, without noise: an array with a row for each."""
        net = self._assert_fitted()
        batch = self.codec_.encode(_as_frame(df), spread=False)
        flat = [net.latent.flat(net.infer(part).mean).cpu() for part in self._in_batches(batch)]
        return torch.cat(flat).numpy() if flat else np.zeros((0, 0), np.float32)

    @torch.inference_mode()
    def reconstruct(self, df: pd.DataFrame | Path | str) -> pd.DataFrame:
        """The rows as the model remembers them: through the latent and back, the best guess for every cell."""
        net = self._assert_fitted()
        df = _as_frame(df)
        parts = [
            net.generate(net.infer(part).mean).draw(temperature=0.0)
            for part in self._in_batches(self.codec_.encode(df, spread=False))
        ]
        return self._like(parts, df.index)

    @torch.inference_mode()
    def interpolate(self, row_a: Any, row_b: Any, steps: int = 5) -> pd.DataFrame:
        """`steps` rows on the way from one row to another, both ends included."""
        net = self._assert_fitted()
        if steps < 2:
            raise UsageError(f"steps must be 2 or more, the ends included, however: steps={steps}")
        ends = [net.infer(self.codec_.encode(_one_row(row), spread=False)) for row in (row_a, row_b)]
        way = [
            net.generate(ends[0].mix(ends[1], t).mean).draw(temperature=0.0) for t in np.linspace(0, 1, steps).tolist()
        ]
        return self._like(way, pd.RangeIndex(steps))

    @torch.inference_mode()
    def vary(self, rows: Any, n: int = 10, strength: float = 0.5, *, seed: int | None = None) -> pd.DataFrame:
        """n neighbours of each row: at strength 0 its reconstruction, at 1 fresh draws that owe it nothing."""
        net = self._assert_fitted()
        if not 0 <= strength <= 1:
            raise UsageError(f"strength must lie between 0 and 1, however: strength={strength}")
        frame = _one_row(rows) if not isinstance(rows, pd.DataFrame) else rows
        batch = self.codec_.encode(frame, spread=False)
        batch = batch.take(torch.arange(len(batch)).repeat_interleave(n))
        parts = []
        with rng.seeded(rng.fresh_seed() if seed is None else seed, "vary"):
            for part in self._in_batches(batch):
                between = net.infer(part).mix(net.prior(len(part)), strength)
                parts.append(net.generate(between.draw(strength)).draw(temperature=strength))
        return self._like(parts, frame.index.repeat(n))

    @torch.inference_mode()
    def log_prob(self, df: pd.DataFrame | Path | str, draws: int = 10, seed: int = 0) -> np.ndarray:
        """Nats per row: the evidence lower bound, averaged over draws of the latent. Low means unusual.

        Discrete cells count with their probability, numbers with the density of their place within a cell.
        """
        net = self._assert_fitted()
        batch = self.codec_.encode(_as_frame(df), spread=False)
        bounds = []
        with rng.seeded(seed, "log_prob"):
            for part in self._in_batches(batch):
                runs = [_bound(net.elbo(part)) for _ in range(draws)]
                bounds.append(torch.stack(runs).mean(0).cpu())
        return torch.cat(bounds).double().numpy() if bounds else np.zeros(0)

    # -- conditions -------------------------------------------------------------------------------------------------

    def _draw_given(self, given: TableBatch, learned: bool) -> TableBatch:
        """Draw rows that agree with what `given` knows.

        Codes are drawn from the prior and chosen in proportion to how likely they make what is given; the rest of the
        row then follows from the code. So nothing is rejected, and `given_share_` says what share of the codes carried
        the condition (their effective number over all): where it is tiny, rows that ask for it grow alike.
        """
        net = self.net_
        keys = torch.cat([given.choice_BC.double(), given.value_BC.double(), given.known_BC.double()], 1)
        groups, group_B = torch.unique(keys, dim=0, return_inverse=True)
        pool = max(512, _POOL // len(groups))
        drawn: list[TableBatch] = []
        order, shares = [], []
        for g in range(len(groups)):
            member = torch.nonzero(group_B == g).flatten()
            tries = min(100_000, max(pool, 32 * len(member)))
            flats, conditions, logs = [], [], []
            for part in torch.split(torch.arange(tries), 8192):
                code = net.prior(len(part), learned=learned).draw()
                flats.append(net.latent.flat(code))
                conditions.append(net.latent.condition(code))
                logs.append(net.generate(code).log_prob(given.take(member[:1].expand(len(part)))))
            weight = torch.softmax(torch.cat(logs).double(), 0)
            shares.append((1 / weight.square().sum() / tries).item())
            # systematic draws: every code as often as it deserves, give or take one
            steps = (torch.randperm(len(member)) + torch.rand(1)).double() / len(member)
            chosen = torch.searchsorted(weight.cumsum(0), steps.to(weight.device)).clamp(max=tries - 1)
            code = net.latent.unflat(torch.cat(flats)[chosen], torch.cat(conditions)[chosen])
            drawn.append(net.generate(code).draw(given=given.take(member)))
            order.append(member)
        self.given_share_ = float(np.mean(shares))
        back = torch.cat(order).argsort()
        return TableBatch.cat(drawn).take(back)

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

    def _learn_codec(self, data: Any, seed: int) -> TableBatch:
        options = Options(protect=self.model.protect, numbers=self.model.codec, cells=self.model.cells)
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

    def _like(self, parts: list[TableBatch], index: pd.Index) -> pd.DataFrame:
        """Decoded parts under the index of the rows they came from."""
        frame = _join([self.codec_.decode(TableBatch.cat(parts))] if parts else [], self.codec_)
        frame.index = index
        return frame


def _bound(parts: dict[str, torch.Tensor]) -> torch.Tensor:
    return parts["reconstruction"] - sum(nats for name, nats in parts.items() if name.startswith("kl_"))


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


def _one_row(row: Any) -> pd.DataFrame:
    if isinstance(row, pd.Series):
        return row.to_frame().T.infer_objects()
    if isinstance(row, Mapping):
        return pd.DataFrame([row])
    if isinstance(row, pd.DataFrame):
        return row
    raise UsageError(f"a row must be a Series, a dict or a DataFrame, however: it is a {type(row).__name__}")


def _join(frames: list[pd.DataFrame], codec: TableCodec) -> pd.DataFrame:
    if not frames:
        return codec.decode(
            TableBatch(
                *(torch.zeros(0, len(codec.spec.blocks), dtype=t) for t in (torch.int64, torch.float32, torch.bool))
            )
        )
    return frames[0] if len(frames) == 1 else pd.concat(frames)


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
