"""What all models share: a knob is a field with its text under it, and that one line is argument, document, command
line option and saved value."""

from __future__ import annotations

import difflib
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from synthloom.errors import UsageError
from synthloom.likelihoods.table import TableHead
from synthloom.spec import TableBatch
from synthloom.training import Schedule, Settings
from synthloom.vae import VAE

__all__ = ["Among", "Model", "Range", "Seconds", "TableModel", "seconds"]


def _seconds(value: Any) -> Any:
    """Seconds as a number, or with a unit: "90s", "10m", "2h"."""
    if isinstance(value, str) and (match := re.fullmatch(r"\s*([0-9.]+)\s*([smh]?)\s*", value)):
        return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]
    return value


def seconds(time: float | str) -> float:
    """A time as people write it, in seconds.

    >>> seconds("10m")
    600.0
    """
    found = _seconds(time)
    if not isinstance(found, float | int) or not found > 0:
        raise UsageError(f'max_time must be seconds, or a time such as "90s", "10m" or "2h", however: {time!r}')
    return float(found)


Seconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0)]


_ENOUGH, _FEWEST, _MOST = 3600, 3, 40
"""Epochs are so many over the root of the number of items, within bounds: four times the data take twice the steps, and
of a few hundred rows a network has learnt all it should after forty looks."""


@dataclass(frozen=True)
class Range:
    """Between which values a knob is worth trying; stands beside the knob, in its annotation."""

    low: float
    high: float
    log: bool = False

    def suggest(self, trial: Any, name: str) -> None:
        """Ask a trial of Optuna for a value."""
        if isinstance(self.low, int):
            trial.suggest_int(name, self.low, int(self.high), log=self.log)
        else:
            trial.suggest_float(name, self.low, self.high, log=self.log)

    def write(self, value: Any) -> Any:
        """A value as the trial keeps it; what lies outside moves to the nearer end."""
        return type(self.low)(min(max(value, self.low), self.high))

    def read(self, value: Any) -> Any:
        """The inverse of `write`."""
        return value


@dataclass(frozen=True)
class Among:
    """The few values among which a knob is worth trying."""

    values: tuple[Any, ...]

    def suggest(self, trial: Any, name: str) -> None:
        trial.suggest_categorical(name, [self.write(value) for value in self.values])

    def write(self, value: Any) -> Any:
        return repr(value)

    def read(self, value: Any) -> Any:
        return next(known for known in self.values if repr(known) == value)


class Model(BaseModel, ABC):
    """A recipe: knobs, and how to build a network from a spec. It never sees raw data."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True)

    kind: ClassVar[str]
    name: ClassVar[str]
    private: ClassVar[dict[str, Any]] = {}
    """What knobs are with epsilon, unless said."""

    epochs: int | None = Field(300, ge=1)
    """How often training goes through the data, at most; none: less often the more there are, 20 times 32,000 rows."""
    batch_size: Annotated[int, Among((100, 250, 500, 1000))] = Field(500, ge=1)
    """Rows per step."""
    learning_rate: Annotated[float, Range(2e-4, 5e-3, log=True)] = Field(1e-3, gt=0)
    """How far one step goes."""
    max_time: Seconds | None = None
    """Stop training after this long: seconds, or "90s", "10m", "2h"."""
    patience: int | None = Field(30, ge=1)
    """Stop when so many epochs have brought nothing better on the validation rows; none: never."""
    validation: float = Field(0.1, ge=0, lt=0.9)
    """Share of the rows kept aside, 2,048 at most, to see when to stop; 0: none, and no early stop."""
    clip: float | None = Field(None, gt=0)
    """Longest gradient that is followed in full; none: any."""
    device: str = "auto"
    """Where to compute: "auto", "cpu", "cuda" or "mps"."""
    threads: int | None = Field(None, ge=1)
    """How many threads to compute on; none: what the network deserves."""
    prior: str = "standard"
    """What to draw codes from."""
    protect: bool = True
    """Keep back categories and numeric extremes that fewer than 5 rows hold."""

    @abstractmethod
    def build(self, spec: Any) -> VAE:
        """The network for data of this spec."""

    def prepare(self, net: VAE, batch: Any) -> None:
        """Whatever a fresh network may take from the training items before the first step."""

    def finish(self, net: VAE, batch: Any) -> None:
        """Whatever a trained network may still take from the training items before the first draw."""

    @abstractmethod
    def schedule(self) -> Schedule:
        """How the weight of the KL moves over the course of training."""

    def schedule_for(self, batch: Any) -> Schedule:
        """The schedule for these training items, where it goes by what they are."""
        return self.schedule()

    def settings(self, seed: int, items: int) -> Settings:
        """What the training loop wants to know, for so many training items."""
        return Settings(
            epochs=self.epochs or round(min(max(_FEWEST, _ENOUGH / items**0.5), _MOST)),
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            clip=self.clip,
            max_time=self.max_time,
            patience=self.patience,
            device=self.device,
            threads=self.threads,
            seed=seed,
        )

    @classmethod
    def with_knobs(cls, knobs: dict[str, Any]) -> Self:
        """The model with these knobs; a wrong one is named, with the likeliest right one."""
        for knob in knobs:
            if knob not in cls.model_fields:
                close = difflib.get_close_matches(knob, cls.model_fields, n=1)
                hint = f'did you mean "{close[0]}"?' if close else f"known are {', '.join(sorted(cls.model_fields))}"
                raise UsageError(f'a knob of model "{cls.name}" must be one it has, however: "{knob}"; {hint}')
        try:
            return cls(**knobs)
        except ValidationError as error:
            first = error.errors()[0]
            raise UsageError(
                f"knob {first['loc'][0]}: {first['msg'][:1].lower()}{first['msg'][1:]}, however: {first['input']!r}"
            ) from None


_PRIVATE_STEPS = 192
"""Steps of a private training, about, unless epochs are said; more would share the same budget."""

_PRIVATE = {"validation": 0.0, "patience": None, "prior": "standard", "codec": "quantile"}
"""What knobs must be with epsilon."""


class TableModel(Model):
    """What models of tables share."""

    kind: ClassVar[str] = "table"

    prior: Literal["standard", "mixture", "flow"] = "standard"
    """What to draw codes from: the one that training pulls towards, or one that is fitted to the codes afterwards."""
    codec: Literal["quantile", "gmm"] = "quantile"
    """How numbers are encoded: by "quantile" (cells of equal mass; reaches every value) or "gmm" (as published)."""
    cells: int = Field(64, ge=1, le=1024)
    """Into how many cells of equal mass a number is cut at most (quantile codec)."""
    common: int | None = Field(None, ge=1)
    """A number that so many rows hold, and one row in a thousand, is a choice of its own; none: what fills a cell."""
    epsilon: float | None = Field(None, gt=0, le=100)
    """Budget of differential privacy for all that is learnt of the rows; none: no such promise."""
    privacy_delta: float | None = Field(None, gt=0, lt=1)
    """With epsilon, the chance that its promise fails; none: 1 / n^1.2 for n rows."""

    @classmethod
    def with_knobs(cls, knobs: dict[str, Any]) -> Self:
        if knobs.get("epsilon") is None:
            return super().with_knobs(knobs)
        model = super().with_knobs(_PRIVATE | cls.private | knobs)
        for knob, value in _PRIVATE.items():
            if knob in knobs and knobs[knob] != value:
                raise UsageError(
                    f"with epsilon, {knob} must be {value!r}, because anything else would look at the rows beside the "
                    f"account, however: {knob}={knobs[knob]!r}; leave it out"
                )
        if model.clip is None:
            raise UsageError("with epsilon, clip must be how far a row may move the weights, however: clip=None")
        return model

    def settings(self, seed: int, items: int) -> Settings:
        settings = super().settings(seed, items)
        if self.epsilon is None or self.epochs is not None:
            return settings
        return replace(settings, epochs=max(1, round(_PRIVATE_STEPS * self.batch_size / items)))

    def prepare(self, net: VAE, batch: TableBatch) -> None:
        for module in net.modules():
            if isinstance(module, TableHead):
                module.start_at(batch)
