"""How much each KL term weighs while training goes on.

A schedule is asked at every step: it is told how far training has come (0 to 1) and the recent mean of each KL part, in
nats per item, and answers with a weight for each. All arithmetic is on plain floats; what it remembers goes through
`state` and `load`, as JSON.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from synthloom.errors import UsageError

__all__ = ["Constant", "Cyclical", "FreeBits", "Linear", "RateTarget", "Schedule", "Weight"]

Weight = float | Mapping[str, float]
"""One weight for every KL part, or one for each by name."""


def _each(weight: Weight, parts: Iterable[str], factor: float = 1.0) -> dict[str, float]:
    return {part: factor * (weight[part] if isinstance(weight, Mapping) else weight) for part in parts}


def _share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise UsageError(f"{name} must be a share of training from 0 to 1, however: {name}={value}")


class Schedule(ABC):
    """The weights of the KL parts over the course of training.

    `full_from` is the progress from which on the full weight has been reached: epochs before it are not compared with
    later ones. A part whose mean over the batch is below `free` nats costs nothing.
    """

    free: float = 0.0

    @property
    @abstractmethod
    def full_from(self) -> float: ...

    @abstractmethod
    def weights(self, progress: float, parts: Mapping[str, float]) -> dict[str, float]:
        """A weight for each of `parts`, given its recent mean in nats."""

    @abstractmethod
    def full(self, parts: Iterable[str]) -> dict[str, float]:
        """The weights that a network is judged by, whenever it is judged."""

    def charge(self, parts: Mapping[str, float]) -> float:
        """What the KL costs a network that is judged, in nats."""
        return sum(weight * parts[name] for name, weight in self.full(parts).items())

    def state(self) -> dict[str, Any]:
        return {}

    def load(self, state: Mapping[str, Any]) -> None:
        assert not state, state


@dataclass(frozen=True)
class Constant(Schedule):
    """The same weight throughout.

    >>> Constant(0.5).weights(0.0, {"kl_gaussian": 7.0})
    {'kl_gaussian': 0.5}
    """

    weight: Weight = 1.0

    @property
    def full_from(self) -> float:
        return 0.0

    def weights(self, progress: float, parts: Mapping[str, float]) -> dict[str, float]:
        return _each(self.weight, parts)

    def full(self, parts: Iterable[str]) -> dict[str, float]:
        return _each(self.weight, parts)


@dataclass(frozen=True)
class Linear(Schedule):
    """Nothing until `start`, then rising evenly to the full weight at `end`.

    Generating Sentences from a Continuous Space (Bowman et al., 2016), https://arxiv.org/abs/1511.06349

    >>> [Linear(0.25, 0.5).weights(p, {"kl": 1.0})["kl"] for p in (0.125, 0.375, 0.875)]
    [0.0, 0.5, 1.0]
    """

    start: float = 0.0
    end: float = 0.25
    weight: Weight = 1.0

    def __post_init__(self) -> None:
        _share("start", self.start)
        _share("end", self.end)
        if self.end < self.start:
            raise UsageError(f"end must not come before start, however: start={self.start}, end={self.end}")

    @property
    def full_from(self) -> float:
        return self.end

    def weights(self, progress: float, parts: Mapping[str, float]) -> dict[str, float]:
        risen = float(progress >= self.end)
        if self.start < progress < self.end:
            risen = (progress - self.start) / (self.end - self.start)
        return _each(self.weight, parts, risen)

    def full(self, parts: Iterable[str]) -> dict[str, float]:
        return _each(self.weight, parts)


@dataclass(frozen=True)
class Cyclical(Schedule):
    """Several times from nothing to the full weight: rising over the first `rising` of each cycle, then resting there.

    Cyclical Annealing Schedule: A Simple Approach to Mitigating KL Vanishing (Fu et al., 2019),
    https://arxiv.org/abs/1903.10145

    >>> [Cyclical(cycles=2).weights(p, {"kl": 1.0})["kl"] for p in (0.0, 0.125, 0.25, 0.49, 0.5, 1.0)]
    [0.0, 0.5, 1.0, 1.0, 0.0, 1.0]
    """

    cycles: int = 4
    rising: float = 0.5
    weight: Weight = 1.0

    def __post_init__(self) -> None:
        _share("rising", self.rising)
        if self.cycles < 1:
            raise UsageError(f"cycles must be at least 1, however: cycles={self.cycles}")

    @property
    def full_from(self) -> float:
        return self.rising / self.cycles

    def weights(self, progress: float, parts: Mapping[str, float]) -> dict[str, float]:
        turn = progress * self.cycles
        within = 1.0 if progress >= 1 else turn - math.floor(turn)
        return _each(self.weight, parts, 1.0 if within >= self.rising else within / self.rising)

    def full(self, parts: Iterable[str]) -> dict[str, float]:
        return _each(self.weight, parts)


@dataclass(frozen=True)
class FreeBits(Schedule):
    """Another schedule, with `nats` of each part for free: what is below that, on batch average, costs nothing.

    Improved Variational Inference with Inverse Autoregressive Flow (Kingma et al., 2016),
    https://arxiv.org/abs/1606.04934
    """

    nats: float
    inner: Schedule = field(default_factory=Constant)

    @property
    def free(self) -> float:  # type: ignore[override]
        return self.nats

    @property
    def full_from(self) -> float:
        return self.inner.full_from

    def weights(self, progress: float, parts: Mapping[str, float]) -> dict[str, float]:
        return self.inner.weights(progress, parts)

    def full(self, parts: Iterable[str]) -> dict[str, float]:
        return self.inner.full(parts)

    def charge(self, parts: Mapping[str, float]) -> float:
        return self.inner.charge(parts)

    def state(self) -> dict[str, Any]:
        return self.inner.state()

    def load(self, state: Mapping[str, Any]) -> None:
        self.inner.load(state)


@dataclass
class RateTarget(Schedule):
    """Steers one KL part to `nats` per item and holds it there; the other parts keep their weight.

    Up to `warmup` the part weighs only `least`, and the network is all but a plain autoencoder. Over the next `squeeze`
    of training the aim moves, by equal factors, from the rate that it has then to `nats`, and from there it stays. The
    log of the weight follows how far the rate is off (as a ratio): at once, and by what has added up. A target on the
    sum of several parts could be met by the cheapest of them alone, and a full weight from the first step ends in a
    dead latent; hence one part, and slowly.

    ControlVAE: Controllable Variational Autoencoder (Shao et al., 2020), https://arxiv.org/abs/2004.05988

    >>> RateTarget(8.0).weights(0.1, {"kl_dirichlet": 1.0, "kl_gaussian": 20.0})
    {'kl_dirichlet': 1.0, 'kl_gaussian': 0.0001}
    """

    nats: float
    part: str = "kl_gaussian"
    warmup: float = 0.25
    squeeze: float = 0.25
    others: Weight = 1.0
    least: float = 1e-4

    _adding_up: float = field(default=0.0, init=False, repr=False)  # log of weight / least, without what is immediate
    _rate: float | None = field(default=None, init=False, repr=False)  # nats when the squeeze began
    _progress: float = field(default=0.0, init=False, repr=False)  # how far training had come when last asked

    def __post_init__(self) -> None:
        _share("warmup", self.warmup)
        _share("squeeze", self.squeeze)
        if self.nats <= 0 or self.warmup + self.squeeze > 1:
            raise UsageError(
                "a rate target needs nats above 0, and warmup and squeeze that fit into training, however: "
                f"nats={self.nats}, warmup={self.warmup}, squeeze={self.squeeze}"
            )

    @property
    def full_from(self) -> float:
        return self.warmup + self.squeeze

    def weights(self, progress: float, parts: Mapping[str, float]) -> dict[str, float]:
        if self.part not in parts:
            raise UsageError(f'a rate target must steer one of {", ".join(parts)}, however: part="{self.part}"')
        return self._with(parts, self._weight(progress, parts[self.part]))

    def full(self, parts: Iterable[str]) -> dict[str, float]:
        return self._with(parts, 1.0)

    def charge(self, parts: Mapping[str, float]) -> float:
        """What lies beyond the aim counts, as in the bound; what lies below it is no merit, for the nats that are held
        are there to be used."""
        return super().charge({**parts, self.part: max(0.0, parts[self.part] - self.nats)})

    def _with(self, parts: Iterable[str], weight: float) -> dict[str, float]:
        return _each(self.others, (part for part in parts if part != self.part)) | {self.part: weight}

    def _weight(self, progress: float, rate: float) -> float:
        if progress < self.warmup and self._rate is None:
            return self.least
        rate = max(rate, 1e-6)
        if self._rate is None:
            self._rate, self._progress = rate, progress
        squeezed = min(1.0, (progress - self.warmup) / self.squeeze) if self.squeeze else 1.0
        aim = self._rate ** (1 - squeezed) * self.nats**squeezed
        off = min(1.0, max(-1.0, math.log(rate / aim)))
        # training that goes on with more epochs than it was begun with steps back in progress, once
        moved = max(0.0, progress - self._progress)
        self._progress = progress
        most = math.log(_MOST / self.least)
        self._adding_up = min(most, max(0.0, self._adding_up + _INTEGRAL * moved * off * (_NEAR + abs(off))))
        return self.least * math.exp(min(most, max(0.0, self._adding_up + _PROPORTIONAL * off)))

    def state(self) -> dict[str, Any]:
        return {"adding_up": self._adding_up, "rate": self._rate, "progress": self._progress}

    def load(self, state: Mapping[str, Any]) -> None:
        self._adding_up, self._rate, self._progress = state["adding_up"], state["rate"], state["progress"]


_MOST = 100.0
"""Beyond this weight the latent is dead whatever the target."""
_INTEGRAL = 100.0
"""Per unit of progress, and of the log ratio squared: a long way off, the weight moves fast, and near the aim calmly,
because it takes steps until the rate answers, and what is impatient swings about its aim."""
_NEAR = 0.2
"""... to which this is added, so that the last tenth is made up for too."""
_PROPORTIONAL = 1.0
"""What answers at once; it keeps what adds up from overshooting."""
