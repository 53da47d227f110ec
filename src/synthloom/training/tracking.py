"""Who is told how training goes: a bar, a CSV file, TensorBoard, Weights & Biases, anything with three methods.

No package is imported before the tracker that needs it starts.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic
from typing import Any, Literal, Protocol, TypeAlias

from synthloom import files
from synthloom.errors import UsageError

__all__ = ["CsvTracker", "Lately", "Progress", "TensorBoardTracker", "Tracker", "WandbTracker", "tracking"]


Lately: TypeAlias = Callable[[], tuple[int, Mapping[str, float]]]
"""The step, and named numbers."""


class Tracker(Protocol):
    """Anything that wants to follow a training."""

    def start(self, info: Mapping[str, Any]) -> None:
        """The settings, and the `step` that is gone on from: 0, or more for one that is resumed."""
        ...

    def log(self, step: int, scalars: Mapping[str, float]) -> None:
        """Named numbers after `step` steps: every few steps those of training, after an epoch those of validation."""
        ...

    def close(self) -> None: ...


@contextmanager
def tracking(trackers: Sequence[Tracker], progress: bool | None, info: Mapping[str, Any]) -> Iterator[list[Tracker]]:
    """The trackers, started, and closed however the block ends; with a bar if `progress` says or a terminal sees it."""
    shown = sys.stderr.isatty() if progress is None else progress
    following = [*trackers, *([Progress()] if shown else [])]
    with ExitStack() as stack:
        for tracker in following:
            tracker.start(info)
            stack.callback(tracker.close)
        yield following


class CsvTracker:
    """One line per number: step, name, value. A resumed training goes on where it is resumed from."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def start(self, info: Mapping[str, Any]) -> None:
        kept = [["step", "name", "value"]]
        if info["step"] and self.path.exists():
            with self.path.open(newline="") as old:
                kept += [row for row in csv.reader(old) if row[0].isdigit() and int(row[0]) <= info["step"]]
        with files.atomic(self.path) as part, part.open("w", newline="") as new:
            csv.writer(new).writerows(kept)
        self._file = self.path.open("a", newline="")
        self._writer = csv.writer(self._file)

    def log(self, step: int, scalars: Mapping[str, float]) -> None:
        self._writer.writerows((step, name, value) for name, value in scalars.items())
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class TensorBoardTracker:
    """Curves for `tensorboard --logdir FOLDER`."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    def start(self, info: Mapping[str, Any]) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise _missing("TensorBoard", "track") from error
        self._writer = SummaryWriter(self.folder, purge_step=info["step"] + 1)
        self._writer.add_text("settings", "\n".join(f"    {k}: {v}" for k, v in info.items()))

    def log(self, step: int, scalars: Mapping[str, float]) -> None:
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class WandbTracker:
    """Curves in Weights & Biases; offline, on this machine alone, unless `mode` is "online"."""

    def __init__(self, project: str, mode: Literal["online", "offline", "disabled"] = "offline") -> None:
        self.project, self.mode = project, mode

    def start(self, info: Mapping[str, Any]) -> None:
        try:
            import wandb
        except ImportError as error:
            raise _missing("Weights & Biases", "wandb") from error
        self._run = wandb.init(project=self.project, mode=self.mode, config=dict(info))

    def log(self, step: int, scalars: Mapping[str, float]) -> None:
        self._run.log(dict(scalars), step=step)

    def close(self) -> None:
        self._run.finish()


def _missing(what: str, extra: str) -> UsageError:
    return UsageError(f'{what} is not installed, and its tracker needs it; pip install "synthloom[{extra}]"')


class Progress:
    """A bar on standard error: epoch, loss, best validation, and the time left, by steps or by `max_time`."""

    def start(self, info: Mapping[str, Any]) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        self._began, self._from, self._shown = monotonic(), info["share"], 0.0
        self._epochs = info["epochs"]
        console = Console(stderr=True)
        self._bar = Bar(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            TextColumn("loss {task.fields[loss]}  best {task.fields[best]}  {task.fields[left]} left"),
            console=console,
            auto_refresh=False,
            transient=console.is_terminal,
        )
        self._task = self._bar.add_task("", total=1.0, completed=info["share"], epoch="-", loss="-", best="-", left="?")
        self._bar.start()

    def log(self, step: int, scalars: Mapping[str, float]) -> None:
        shown: dict[str, Any] = {}
        if "loss" in scalars:
            shown["loss"] = f"{scalars['loss']:.4g}"
            shown["epoch"] = f"{min(int(scalars['epoch']) + 1, self._epochs)}/{self._epochs}"
        if "best" in scalars:
            shown["best"] = f"{scalars['best']:.4g}"
        self._bar.update(self._task, **shown)

    def advance(self, share: float, lately: Lately) -> None:
        """Training is this far, from 0 to 1; what `log` would be told if it were told now can be asked for."""
        now = monotonic()
        if now - self._shown < 0.2:
            return
        self._shown = now
        left = (now - self._began) * (1 - share) / max(share - self._from, 1e-9)
        self._bar.update(self._task, completed=share, left=_clock(left), refresh=True)

    def say(self, sentence: str) -> None:
        """A line above the bar."""
        self._bar.console.print(sentence, highlight=False, markup=False, soft_wrap=True)

    def close(self) -> None:
        self._bar.stop()


def _clock(seconds: float) -> str:
    """
    >>> _clock(75), _clock(3 * 3600 + 62)
    ('1:15', '3:01:02')
    """
    minutes, seconds = divmod(round(min(seconds, 359_999)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
