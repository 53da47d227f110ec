"""What datetimes and durations share: whole ticks of a clock, handed to a scale."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from synthloom.codecs.columns.base import Column, Encoded, Options
from synthloom.codecs.columns.scales import SCALES, Scale, load_scale, reach
from synthloom.errors import DataError
from synthloom.schema import Field
from synthloom.spec import Limit

__all__ = ["TicksColumn", "coarsest", "distance", "middle", "restore", "steps_of"]

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def coarsest(ticks: np.ndarray, unit: str) -> int:
    """The longest of day, hour, minute, second ... of which every tick is a multiple, in ticks of `unit`.

    >>> coarsest(np.array([0, 3600, 7200]), "s")
    3600
    """
    return next(step for step in steps_of(unit) if not (ticks % step).any())


def steps_of(unit: str) -> list[int]:
    """Day, hour, minute, second, ... down to one tick, in ticks of `unit`."""
    second = _PER_SECOND[unit]
    steps = [second * 86400, second * 3600, second * 60, second, second // 10**3, second // 10**6]
    return [*(step for step in steps if step > 1), 1]


def middle(whole: np.ndarray, options: Options) -> int:
    """A whole number about halfway between the ends that may be given out."""
    low, high = reach(whole.astype(np.float64), options)
    return int(low / 2 + high / 2)


def distance(whole: np.ndarray, origin: int, step: int = 1) -> np.ndarray:
    """How many steps each int64 or uint64 lies from the origin: exact even where float64 does not know the numbers.

    >>> distance(np.array([2**62 + 1, 2**62 + 7]), 2**62)
    array([1., 7.])
    """
    # modular arithmetic on unsigned integers is right for all but those that lie too far away to be exact anyway
    exact = (whole.astype(np.uint64) - np.uint64(origin % 2**64)).view(np.int64)
    rough = whole.astype(np.float64) - origin
    return np.where(np.abs(rough) < 2.0**62, exact // step, rough / step).astype(np.float64)


def restore(x: np.ndarray, origin: int, dtype: Any, step: int = 1) -> np.ndarray:
    """The inverse of `distance`, held inside the dtype.

    >>> restore(np.array([1.0, 7.0, 1e30]), 2**62, np.int64) - 2**62
    array([                  1,                   7, 4611686018427387903])
    """
    most = 2.0**63 - 1024
    far = np.clip(np.rint(x), -most // step, most // step).astype(np.int64) * step
    near = np.asarray((far.view(np.uint64) + np.uint64(origin % 2**64)).view(dtype))
    near[(far > 0) & (near < origin)] = np.iinfo(dtype).max  # what wrapped around
    near[(far < 0) & (near > origin)] = np.iinfo(dtype).min
    return near


@dataclass(frozen=True)
class TicksColumn(Column):
    """Ticks around `origin` in steps of the coarsest unit that writes them all."""

    scale: Scale
    origin: int
    step: int
    unit: str
    form: str

    @classmethod
    @abstractmethod
    def read(cls, present: pd.Series, form: str) -> np.ndarray:
        """Present cells as a datetime64 or timedelta64 array."""

    @abstractmethod
    def _write(self, ticks: np.ndarray) -> np.ndarray:
        """Ticks (int64, of `unit`) in the form in which they came."""

    @classmethod
    def fit(cls, present: pd.Series, field: Field, options: Options, rng: np.random.Generator) -> Self:
        form = str(field.facts["form"])
        stamps = cls.read(present, form)
        unit = np.datetime_data(stamps.dtype)[0]
        ticks = stamps.astype(np.int64)
        first = int(ticks.min())
        step = coarsest(ticks.view(np.uint64) - np.uint64(first % 2**64), unit)
        # an origin between the ends, from which every tick is a whole number of steps
        origin = middle(ticks, options) // step * step + first % step
        return cls(
            SCALES[options.numbers].fit(distance(ticks, origin, step), True, options, rng), origin, step, unit, form
        )

    @property
    def choices(self) -> int:
        return self.scale.choices

    @property
    def numbered(self) -> int:
        return self.scale.cells

    def encode(self, present: pd.Series, rng: np.random.Generator, *, strict: bool) -> Encoded:
        stamps = pd.Series(self.read(present, self.form)).astype(f"{self._dtype}[{self.unit}]")  # refuses to overflow
        ticks = stamps.to_numpy().astype(np.int64)
        x = distance(ticks, self.origin, self.step)
        if strict and ((x < self.scale.low) | (x > self.scale.high)).any():
            low, high = self._leave(np.array([self.scale.low, self.scale.high]))
            raise DataError(f"a value of column {present.name!r} must lie between {low} and {high}")
        choice, value = self.scale.encode(x, rng)
        return Encoded(choice, value, np.ones(len(choice), bool))

    def decode(self, choice: np.ndarray, value: np.ndarray, row: np.ndarray, seed: int) -> np.ndarray:
        return self._leave(self.scale.decode(choice, value))

    def between(self, low: pd.Series, high: pd.Series, *, beyond: bool = False) -> Limit:
        low_x, high_x = self._end(low, -np.inf, last=beyond), self._end(high, np.inf, last=not beyond)
        if beyond:
            return self.scale.between(np.floor(low_x) + 1, np.ceil(high_x) - 1)
        return self.scale.between(np.ceil(low_x), np.floor(high_x))

    def among(self, values: pd.Series) -> Limit:
        super().among(values)
        return self.between(values, values).merged()

    def measure(self, present: pd.Series) -> pd.Series:
        return pd.Series(self.read(present, self.form), index=present.index, name=present.name)

    def best(self, cells: pd.Series, draws: int) -> np.ndarray | pd.Categorical:
        """... Their mean."""
        x = self._end(self.measure(cells), 0.0, last=False).reshape(-1, draws).mean(1)
        return self._leave(np.rint(x))

    def end(self, end: pd.Series, *, last: bool) -> pd.Series:
        return pd.Series(self._moments(end, last), index=end.index)

    def _end(self, end: pd.Series, none: float, *, last: bool) -> np.ndarray:
        """Ends of ranges in steps from the origin; of a stretch such as a day its `last` moment, or its first."""
        present = end.notna().to_numpy(bool)
        x = np.full(len(end), none)
        stamps = self.end(end[present], last=last).astype(f"{self._dtype}[{self.unit}]").to_numpy()
        x[present] = distance(stamps.astype(np.int64), self.origin) / self.step
        return x

    def _moments(self, ends: pd.Series, last: bool) -> np.ndarray:
        """Raw values, or what `measure` made of some, as a datetime64 or timedelta64 array."""
        return self.read(ends, "dtype" if ends.dtype.kind in "mM" else self.form)

    def state(self) -> dict[str, Any]:
        return super().state() | {"scale": self.scale.state()}

    @classmethod
    def load(cls, state: dict[str, Any]) -> Self:
        return cls(**state | {"scale": load_scale(state["scale"])})

    @property
    @abstractmethod
    def _dtype(self) -> str:
        """numpy's name for the kind: datetime64 or timedelta64."""

    def _leave(self, x: np.ndarray) -> np.ndarray:
        return self._write(restore(x, self.origin, np.int64, self.step))
