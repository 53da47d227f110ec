"""What datetimes and durations share: whole ticks of a clock, handed to a scale."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from synthloom.codecs.columns.base import Column, Encoded, Options
from synthloom.codecs.columns.scales import SCALES, Scale, load_scale
from synthloom.errors import DataError
from synthloom.schema import Field

__all__ = ["TicksColumn", "coarsest"]

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def coarsest(ticks: np.ndarray, unit: str) -> int:
    """The longest of day, hour, minute, second ... of which every tick is a multiple, in ticks of `unit`.

    >>> coarsest(np.array([0, 3600, 7200]), "s")
    3600
    """
    second = _PER_SECOND[unit]
    steps = [second * 86400, second * 3600, second * 60, second, second // 10**3, second // 10**6]
    return next((step for step in steps if step >= 1 and not (ticks % step).any()), 1)


@dataclass(frozen=True)
class TicksColumn(Column):
    """Ticks above `origin` in steps of the coarsest unit that writes them all."""

    scale: Scale
    origin: int
    step: int
    unit: str
    form: str

    @classmethod
    @abstractmethod
    def _read(cls, present: pd.Series, form: str) -> np.ndarray:
        """Present cells as a datetime64 or timedelta64 array."""

    @abstractmethod
    def _write(self, ticks: np.ndarray) -> np.ndarray:
        """Ticks (int64, of `unit`) in the form in which they came."""

    @classmethod
    def fit(cls, present: pd.Series, field: Field, options: Options, rng: np.random.Generator) -> Self:
        form = str(field.facts["form"])
        stamps = cls._read(present, form)
        unit = np.datetime_data(stamps.dtype)[0]
        ticks = stamps.astype(np.int64)
        origin, step = int(ticks.min()), 1
        step = coarsest(ticks - origin, unit)
        scale = SCALES[options.numbers].fit(((ticks - origin) // step).astype(np.float64), True, options, rng)
        return cls(scale, origin, step, unit, form)

    @property
    def choices(self) -> int:
        return max(1, self.scale.cells + len(self.scale.atoms))

    @property
    def numbered(self) -> int:
        return self.scale.cells

    def encode(self, present: pd.Series, rng: np.random.Generator, *, strict: bool) -> Encoded:
        try:
            ticks = self._read(present, self.form).astype(f"{self._dtype}[{self.unit}]").astype(np.int64)
        except (ValueError, TypeError) as error:
            raise DataError(f"column {present.name!r} must hold values like those of training: {error}") from error
        low, high = self._ends()
        x = (ticks - self.origin) / self.step
        if strict and ((x < low - 0.5) | (x > high + 0.5)).any():
            ends = self._write(self._from_scale(np.array([low, high])))
            raise DataError(f"a value of column {present.name!r} must lie between {ends[0]} and {ends[1]}")
        choice, value = self.scale.encode(np.clip(x, low, high), rng)
        return Encoded(choice, value, np.ones(len(choice), bool))

    def decode(self, choice: np.ndarray, value: np.ndarray, row: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return self._write(self._from_scale(self.scale.decode(choice, value)))

    def state(self) -> dict[str, Any]:
        return super().state() | {"scale": self.scale.state()}

    @classmethod
    def load(cls, state: dict[str, Any]) -> Self:
        return cls(**state | {"scale": load_scale(state["scale"])})

    @property
    @abstractmethod
    def _dtype(self) -> str:
        """numpy's name for the kind: datetime64 or timedelta64."""

    def _from_scale(self, x: np.ndarray) -> np.ndarray:
        return np.rint(x).astype(np.int64) * self.step + self.origin

    def _ends(self) -> tuple[float, float]:
        cells = np.arange(self.scale.cells).repeat(2)
        far = np.tile([-40.0, 40.0], self.scale.cells).astype(np.float32)
        reach = np.concatenate([self.scale.atoms, self.scale.decode(cells, far)])
        return float(reach.min()), float(reach.max())
