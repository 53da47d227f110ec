"""A search over a model's knobs: settings are tried on part of the data and judged on the rest, and the best is kept.

A trial fits the model with some knobs, once for each of several seeds, and gives every fit a number: the bound on the
log-likelihood of the items held back, or a score of the judge. What the first fits say decides which knobs are tried
next, and a setting whose first seed does poorly gets no second. Every trial is in a file beside the model as soon as it
is over, so a search that was stopped goes on with the same call.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from synthloom import rng
from synthloom.errors import DataError, TrainingError, UsageError
from synthloom.metrics import METRICS, READERS, Context
from synthloom.metrics.score import Better
from synthloom.models import Among, Model, Range, find
from synthloom.models.base import seconds
from synthloom.sources import SOURCES, kind_of
from synthloom.synthesizers import SYNTHESIZERS, Synthesizer

__all__ = ["BOUND", "Tuned", "tune"]

BOUND = "bound"
"""The score that every model has: nats per held-back item, the higher the better."""

_HELD = 0.2
"""Share of the items that settings are judged on."""

_TELLING = 8
"""Trials below which nothing is said of what mattered."""


@dataclass(frozen=True)
class Tuned:
    """What a search found: the knobs, and a model with them that has learnt from all of the data."""

    synthesizer: Synthesizer[Any]
    knobs: dict[str, Any]
    trials: pd.DataFrame
    """One row per trial: its value (the mean over the seeds), how it ended, seconds, and each knob."""
    importance: dict[str, float]
    """Share of what sets the trials apart that goes with each knob; empty after few trials."""

    def __str__(self) -> str:
        lines = [self.trials.to_string(float_format=lambda number: f"{number:.4g}")]
        if self.importance:
            lines += ["", "what mattered: " + ", ".join(f"{k} {v:.0%}" for k, v in self.importance.items())]
        return "\n".join([*lines, "", "best: " + ", ".join(f"{k}={v}" for k, v in self.knobs.items())])


def tune(
    data: Any,
    out: Path | str | None = None,
    *,
    kind: str | None = None,
    model: str | None = None,
    trials: int = 20,
    max_time: float | str | None = None,
    score: str = BOUND,
    target: Hashable | None = None,
    seeds: int = 2,
    seed: int = 0,
    progress: bool | None = None,
    **knobs: Any,
) -> Tuned:
    """Try `trials` settings of a model's knobs, those of earlier calls among them, and fit the best to all of the data.

    With `out` the model is saved there, and the study beside it, in `out` + ".study". What is said in `knobs` holds for
    every trial; of the others those are tried that have a `Range` or are `Among` a few. `score` is "bound" or a score
    of `evaluate`, `target` what "utility" predicts. No trial begins that would end after `max_time`
    (seconds, or "10m", "2h"), if it takes as long as the longest so far.

    >>> from synthloom.datasets import visits
    >>> tuned = tune(visits(300), model="tvae", trials=2, seeds=1, epochs=1, progress=False)
    >>> len(tuned.trials), sorted(tuned.knobs)[:2]
    (2, ['batch_size', 'compress_dims'])
    """
    kind = kind or (kind_of(data) if isinstance(data, str | Path) else "table")
    limit = math.inf if max_time is None else seconds(max_time)
    search = _Search(kind, find(kind, model), knobs, score, target, seeds, seed)
    items = SOURCES[kind].read(data) if isinstance(data, str | Path) else data
    study = _study(out, search, items)
    began, longest = time.monotonic(), 0.0
    with _shown(trials, progress) as tell:
        while (over := len(_over(study))) < trials:
            started = time.monotonic()
            if longest and started - began + longest > limit:
                break
            best = _best(study)
            tell(over, "" if best is None else f"best {search.score} {_value(study, best.value):.4g}")
            _run(study, search, items)
            longest = max(longest, time.monotonic() - started)
    best = _best(study)
    if best is None:
        raise TrainingError("some trial must give a value, however: none did; a plain fit shows why")
    chosen = search.read(best.params)
    synthesizer = search.new(chosen, seed).fit(items, progress=progress)
    if out is not None:
        synthesizer.save(out)
    return Tuned(synthesizer, chosen, _table(study, search), _importance(study))


@dataclass(frozen=True)
class _Search:
    """What is searched, and how a setting is judged."""

    kind: str
    model: type[Model]
    knobs: dict[str, Any]
    score: str
    target: Hashable | None
    seeds: int
    seed: int

    def __post_init__(self) -> None:
        self.model.with_knobs(self.knobs)  # refuses what is wrong now, and not after an hour
        known = METRICS.get(self.kind, {})
        if self.score != BOUND and self.score not in known:
            raise UsageError(f"score must be one of {', '.join([BOUND, *known])}, however: {self.score!r}")
        if self.knobs.get("epsilon") is not None:
            raise UsageError("a search looks at the data again and again, which no epsilon accounts for; leave it out")
        if self.seeds < 1:
            raise UsageError(f"seeds must be 1 or more, however: seeds={self.seeds}")

    @property
    def space(self) -> dict[str, Range | Among]:
        """The knobs that are tried, and what they may be."""
        return {
            name: found
            for name, field in self.model.model_fields.items()
            for found in field.metadata
            if isinstance(found, Range | Among) and name not in self.knobs
        }

    def prints(self, items: Any) -> dict[str, Any]:
        """What must be the same for trials to be compared."""
        space = {name: str(found) for name, found in self.space.items()}
        plain = {name: repr(value) for name, value in self.knobs.items()}
        return {
            "kind": self.kind,
            "model": self.model.name,
            "items": len(items),
            "score": self.score,
            "target": str(self.target),
            "seeds": self.seeds,
            "seed": self.seed,
            "knobs": plain,
            "space": space,
        }

    def ask(self, trial: Any) -> dict[str, Any]:
        """A setting that the study would like to see."""
        for name, found in self.space.items():
            found.suggest(trial, name)
        return self.read(trial.params)

    def defaults(self) -> dict[str, Any]:
        """The setting that one has without a search: it is tried first, so that nothing worse is ever chosen."""
        standard = self.model.with_knobs(self.knobs)
        return {name: found.write(getattr(standard, name)) for name, found in self.space.items()}

    def read(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Knobs from what the study keeps of them."""
        return {name: self.space[name].read(value) for name, value in params.items()}

    def new(self, knobs: Mapping[str, Any], seed: int) -> Synthesizer[Any]:
        return SYNTHESIZERS[self.kind](self.model.name, seed=seed, **self.knobs | dict(knobs))

    def split(self, items: Any) -> tuple[Any, Any]:
        """Items to learn from, and items to judge by."""
        order = rng.generator(self.seed, "tuning").permutation(len(items))
        held = max(1, round(_HELD * len(items)))
        take = SOURCES[self.kind].take
        return take(items, np.sort(order[held:])), take(items, np.sort(order[:held]))

    def judge(self, knobs: Mapping[str, Any], seed: int, learnt: Any, held: Any) -> tuple[float, Better]:
        """How good a fit with these knobs is, and which way is better."""
        synthesizer = self.new(knobs, seed).fit(learnt, progress=False)
        if self.score == BOUND:
            return float(np.mean(synthesizer.log_prob(held))), "higher"
        context = Context(self.seed, self.target)
        made = synthesizer.sample(len(learnt), seed=seed)
        data, _ = READERS[self.kind]({"real": learnt, "synthetic": made, "holdout": held}, context)
        found = METRICS[self.kind][self.score](*data, context)
        if found.value is None:
            raise DataError(f"the score {self.score} must be there to be searched by, however: {found.about}")
        return found.value, found.better


def _run(study: Any, search: _Search, items: Any) -> None:
    """One trial: ask, fit once per seed unless it is hopeless, tell. The study minimises."""
    from optuna.trial import TrialState

    trial = study.ask()
    knobs = search.ask(trial)
    learnt, held = search.split(items)
    losses: list[float] = []
    try:
        for i in range(search.seeds):
            value, better = search.judge(knobs, rng.mix(search.seed, "trial", i), learnt, held)
            study.set_user_attr(_BETTER, better)
            losses.append(value if better == "lower" else -value)
            trial.report(float(np.mean(losses)), step=i)
            if i + 1 < search.seeds and trial.should_prune():
                study.tell(trial, state=TrialState.PRUNED)
                return
    except TrainingError as error:  # with these knobs nothing can be learnt here: so much is worth knowing
        trial.set_user_attr("why", str(error))
        losses = []
    if losses and math.isfinite(sum(losses)):
        study.tell(trial, float(np.mean(losses)))
    else:
        study.tell(trial, state=TrialState.FAIL)


# -- the study --------------------------------------------------------------------------------------------------------

_BETTER, _PRINTS = "better", "prints"


def _study(out: Path | str | None, search: _Search, items: Any) -> Any:
    """The study beside the model file, or a new one; a trial that was killed is tried again."""
    try:
        import optuna
    except ImportError as error:
        raise UsageError('Optuna is not installed, and tuning needs it; pip install "synthloom[tune]"') from error
    from optuna.storages.journal import JournalFileBackend
    from optuna.trial import TrialState

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = None if out is None else Path(f"{out}.study")
    storage: Any = optuna.storages.InMemoryStorage()
    if path is not None:
        if not path.parent.is_dir():
            raise UsageError(
                f"the folder of a model file must exist, however: there is no {path.parent}; make it first"
            )
        storage = optuna.storages.JournalStorage(JournalFileBackend(str(path)))
    study = optuna.create_study(storage=storage, study_name="synthloom", direction="minimize", load_if_exists=True)
    before, now = study.user_attrs.get(_PRINTS), search.prints(items)
    if before is None:
        study.set_user_attr(_PRINTS, now)
        study.enqueue_trial(search.defaults())
    elif before != now:
        differ = ", ".join(
            f"{name} was {before.get(name)} and is {now[name]}" for name in now if before.get(name) != now[name]
        )
        raise UsageError(f"{path} can only go on with the search that began it, however: {differ}; use another name")
    for trial in study.get_trials(deepcopy=False):
        if trial.state == TrialState.RUNNING:
            study.tell(trial.number, state=TrialState.FAIL)
            study.set_user_attr(_KILLED, [*study.user_attrs.get(_KILLED, []), trial.number])
            study.enqueue_trial(trial.params or search.defaults())
    seed = rng.mix(search.seed, "sampler", len(study.trials)) % 2**32
    study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=8)
    study.pruner = optuna.pruners.MedianPruner(n_startup_trials=4)
    return study


_KILLED = "killed"


def _over(study: Any) -> list[Any]:
    """The trials that are over, without those that were killed."""
    killed = study.user_attrs.get(_KILLED, [])
    return [t for t in study.get_trials(deepcopy=False) if t.state.is_finished() and t.number not in killed]


def _best(study: Any) -> Any:
    """The trial of the least loss; None before there is one."""
    complete = [trial for trial in _over(study) if trial.state.name == "COMPLETE"]
    return min(complete, key=lambda trial: trial.value, default=None)


def _value(study: Any, loss: float | None) -> float:
    """The score that a loss stands for."""
    if loss is None:
        return math.nan
    return loss if study.user_attrs.get(_BETTER) == "lower" else -loss


def _table(study: Any, search: _Search) -> pd.DataFrame:
    rows = []
    for trial in _over(study):
        seen = (
            trial.value if trial.value is not None else next(reversed(list(trial.intermediate_values.values())), None)
        )
        row = {"trial": trial.number, search.score: _value(study, seen), "ended": trial.state.name.lower()}
        row["seconds"] = round(trial.duration.total_seconds(), 1)
        rows.append(row | search.read(trial.params))
    return pd.DataFrame(rows).set_index("trial")


def _importance(study: Any) -> dict[str, float]:
    import optuna

    told = [trial for trial in _over(study) if trial.state.name == "COMPLETE"]
    if len(told) < _TELLING or len({trial.value for trial in told}) < 2:
        return {}
    shares = optuna.importance.get_param_importances(
        study, evaluator=optuna.importance.PedAnovaImportanceEvaluator(), normalize=True
    )
    return {name: float(share) for name, share in sorted(shares.items(), key=lambda item: -item[1])}


@contextmanager
def _shown(trials: int, progress: bool | None) -> Iterator[Callable[[int, str], None]]:
    """How many trials are over, and the best so far, on standard error."""
    if not (sys.stderr.isatty() if progress is None else progress):
        yield lambda number, best: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    parts = TextColumn("trial {task.completed}/{task.total}"), BarColumn(), TextColumn("{task.description}")
    with Progress(*parts, TimeElapsedColumn(), console=console, transient=console.is_terminal) as bar:
        task = bar.add_task("", total=trials)
        yield lambda number, best: bar.update(task, completed=number, description=best)
