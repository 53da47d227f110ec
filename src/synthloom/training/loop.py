"""The one training loop, for every network, kind of data and door.

A step's order of things is what resuming and rolling back rest on: first where the run stands is noted, then loss and
gradients are computed, and only when these are finite are the weights kept together with the note: they are then known
to be good. What is kept lies in memory for when a later step goes wrong, and now and then on disk for when the process
dies. The same `State` serves both, so a run that was killed anywhere goes on to the same bytes.

Legend for tensor names: B items.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import torch
from torch import Tensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from synthloom import devices, rng
from synthloom.errors import FileError, TrainingError, UsageError
from synthloom.spec import Batch
from synthloom.training import checkpoint as on_disk
from synthloom.training.checkpoint import State
from synthloom.training.schedules import Schedule
from synthloom.training.team import team
from synthloom.training.tracking import Progress, Tracker, tracking
from synthloom.vae import VAE

if TYPE_CHECKING:
    from synthloom.training.private import Private

__all__ = ["History", "Interrupted", "Run", "Settings", "train"]

_READ = 10
"""Steps between two looks at the running means: on a GPU each look waits for the device."""
_KEEP = 50
"""Steps between two good states; counted in steps, not seconds, so that a run repeats even where it rolled back."""
_POOL = 30
"""Steps whose items are sorted by length, where they have one: enough to be alike, few enough to be shuffled well."""
_STRIKES = 3
"""How often loss or gradients may fail to be finite before training gives up."""

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the loop wants to know; how the KL weighs is the schedule's to say."""

    epochs: int
    """How often training goes through the data, at most."""
    batch_size: int
    """Items per step, at most: an epoch is cut into steps of equal size."""
    learning_rate: float
    """How far one step goes."""
    seed: int
    """Names every random draw: the same seed on as many threads gives the same bytes."""
    weight_decay: float = 0.0
    """How strongly weights are pulled to zero."""
    decay: Literal["none", "cosine"] = "none"
    """How the learning rate falls over the course of training: not at all, or along a cosine to zero."""
    clip: float | None = None
    """Longest gradient that is followed in full; none: any."""
    max_time: float | None = None
    """Stop after so many seconds, those before a resume among them; none: never."""
    patience: int | None = None
    """Stop when so many epochs have brought nothing better on the validation items; none: never."""
    device: str = "auto"
    """Where to compute: "auto", "cpu", "cuda" or "mps"."""
    threads: int | None = None
    """How many threads to compute on; none: what the network deserves."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate", "clip", "max_time", "patience", "threads"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise UsageError(f"{name} must be above 0, however: {name}={value}")
        if not (self.weight_decay >= 0 and math.isfinite(self.weight_decay)):
            raise UsageError(f"weight_decay must be 0 or above, however: weight_decay={self.weight_decay}")
        if self.decay not in ("none", "cosine"):
            raise UsageError(f'decay must be "none" or "cosine", however: decay={self.decay!r}')


@dataclass
class History:
    """What happened: one row per epoch, and what the user should be told."""

    rows: list[dict[str, float]]
    """Per epoch: epoch, step, loss, reconstruction, kl_*, weight_kl_*, validation_loss, learning_rate, seconds."""
    best_epoch: int | None
    """The epoch whose weights the network was left with; none without validation: then it was the last."""
    stopped: Literal["epochs", "patience", "max_time", "interrupted"]
    notes: list[str]
    """Plain sentences."""
    threads: int
    """How many threads computed: part of what makes a run repeatable."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C came while training; the network holds usable weights and the checkpoint, if any, is written."""

    def __init__(self, history: History) -> None:
        super().__init__("training was interrupted")
        self.history = history


def train(
    vae: VAE,
    data: Batch,
    validation: Batch | None,
    settings: Settings,
    schedule: Schedule,
    *,
    private: Private | None = None,
    checkpoint: Path | None = None,
    checkpoint_seconds: float = 30.0,
    resume: bool = False,
    trackers: Sequence[Tracker] = (),
    progress: bool | None = None,
) -> History:
    """Fit `vae` to `data`, and leave it with the weights that were best on `validation`, or else with the last.

    With a `checkpoint` path the run is on disk every `checkpoint_seconds` (0: at every step), and `resume` goes on from
    there if the file exists, to the same bytes. `progress` shows a bar; None does so where standard error is a
    terminal. Randomness is drawn from `settings.seed` alone, and the caller's stream is left as it was. With `private`
    the items are learnt under differential privacy, on noise that no seed repeats.

    Inside a process group of torch all of its processes train one network together, see `team`: `batch_size` counts the
    items of all of them, so that a step is the same step. The first one writes and tells; a run may be resumed by
    another number of processes.
    """
    if len(data) == 0:
        raise UsageError("training needs at least one item, however: there is none")
    if resume and checkpoint is None:
        raise UsageError("resume needs the checkpoint to go on from, however: checkpoint=None; give its path")
    ours = team()
    if private is not None and ours.size > 1:
        raise UsageError(f"with epsilon one process must train alone, however: there are {ours.size}")
    if not ours.first:
        trackers, progress = (), False
    device = devices.pick(settings.device)
    vae.to(device)
    parameters = sum(parameter.numel() for parameter in vae.parameters())
    with devices.threads(settings.threads, parameters) as threads, rng.seeded(settings.seed, "training"):
        run = (Run if private is None else private.run)(
            vae,
            data,
            validation if validation is not None and len(validation) else None,
            settings,
            deepcopy(schedule),  # its state is this run's
            {"device": device.type, "threads": threads, "workers": ours.size, "torch": torch.__version__},
        )
        run.begin(checkpoint, checkpoint_seconds, resume)
        # the first goes on with the stream of a run that is alone, others have noise of their own
        apart = nullcontext() if ours.first else rng.seeded(settings.seed, "training", ours.rank, run.course.step)
        info = asdict(settings) | {"schedule": repr(schedule), "items": len(data), "parameters": parameters}
        info |= {"step": run.course.step, "share": run.progress}
        with tracking(trackers, progress, info) as run.trackers, apart:
            return run.go()


@dataclass
class _Course:
    """Where a run stands, in plain data. Values are replaced, never changed in place, so a shallow copy is a snapshot.

    Sums are over items, and over what was computed: `recent` since the last look, `totals` since the epoch began.
    """

    epoch: int = 0  # finished
    batch: int = 0  # finished, of this epoch
    step: int = 0
    taken: int = 0  # steps, those that were rolled back among them
    seconds: float = 0.0
    strikes: int = 0
    pieces: int = 1  # into how many a batch is cut so that it fits into memory
    validating: float = 0.0  # seconds that the last validation took
    recent: dict[str, float] = field(default_factory=dict)
    recent_items: int = 0
    totals: dict[str, float] = field(default_factory=dict)
    items: int = 0
    means: dict[str, float] = field(default_factory=dict)  # what the schedule was last told
    weights: dict[str, float] = field(default_factory=dict)  # what it last answered
    best_loss: float | None = None
    best_epoch: int | None = None
    rows: list[dict[str, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    machine: dict[str, Any] = field(default_factory=dict)


class _NotFiniteError(Exception):
    """Loss or gradients are infinite or not a number."""


class Run:
    """One training, from `begin` to `go`'s return."""

    def __init__(
        self,
        vae: VAE,
        data: Batch,
        validation: Batch | None,
        settings: Settings,
        schedule: Schedule,
        machine: dict[str, Any],
    ) -> None:
        self.vae, self.data, self.validation = vae, data, validation
        self.settings, self.schedule = settings, schedule
        self.team = team()
        self.trackers: list[Tracker] = []
        self.device = next(vae.parameters()).device
        self.parameters = [parameter for parameter in vae.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )
        self.shown = data  # what may be looked at beside taking steps
        self.steps_per_epoch = -(-len(data) // settings.batch_size)
        if len(data) // self.steps_per_epoch < self.team.size:
            raise UsageError(
                f"each step must have an item for every worker, however: batch_size={settings.batch_size} and "
                f"{len(data)} items make steps of {len(data) // self.steps_per_epoch} for {self.team.size} workers"
            )
        self.course = _Course(machine=machine)
        self.recent: dict[str, Tensor] = {}  # like course.recent, on the device
        self.best: dict[str, Tensor] = {}
        self.clock = time.monotonic()
        self._order: tuple[int, tuple[Tensor, ...]] = (-1, ())

    # -- beginning, going on, ending --------------------------------------------------------------------------------

    def begin(self, checkpoint: Path | None, checkpoint_seconds: float, resume: bool) -> None:
        """Start afresh, or from where the checkpoint stands."""
        self.checkpoint, self.checkpoint_seconds = checkpoint, checkpoint_seconds
        # how long training may take is no part of what it is
        lasting = {k: v for k, v in asdict(self.settings).items() if k not in ("epochs", "max_time")}
        self.prints = {
            "settings": lasting | {"schedule": repr(self.schedule)} | self._terms(),
            "data": on_disk.data_print(self.data),
            "validation": on_disk.data_print(self.validation),
            "network": on_disk.network_print(self.vae),
        }
        if resume and checkpoint is not None and checkpoint.exists():
            machine = self.course.machine
            self.good = on_disk.read(checkpoint, self.prints)
            self._restore(self.good)
            on_disk.set_streams(self.device, self.good.streams)
            if self.course.machine != machine:
                before, now = (", ".join(f"{k} {v}" for k, v in m.items()) for m in (self.course.machine, machine))
                self._say(f"resumed where the bytes may come out differently: on {now}, after {before}")
                self.course.machine = machine
        else:
            first = torch.arange(min(len(self.shown), self.settings.batch_size))
            self.course.means = self._within_memory(lambda: self._measure(self.shown.take(first)))
            self.good = self._proven(self._note())  # as good as there is, until the first step
            if checkpoint is not None and self.team.first:
                on_disk.write(checkpoint, self.good, self.prints)  # a path that cannot be written shows itself now
        self.written, self.written_step = time.monotonic(), self.course.step
        self.clock -= self.course.seconds
        self.unwritten = 0.0  # seconds, by the first worker's clock

    def go(self) -> History:
        """Step until there is a reason to stop."""
        self.vae.train()
        try:
            while True:
                now = time.monotonic()
                self.course.seconds, self.unwritten = self.team.agreed(now - self.clock, now - self.written)
                try:
                    if stopped := self._reason_to_stop():
                        note = self._note()  # before an epoch is cut short: going on, it is finished first
                        if self.course.batch:
                            self._end_epoch(judge=self.course.validating > 0)
                        if not all(parameter.isfinite().all() for parameter in self.parameters):
                            raise _NotFiniteError
                        self.good = self._proven(note)
                        break
                    self._step()
                except _NotFiniteError:
                    self._roll_back()
            self._write(self.good)
            self._settle()
        except KeyboardInterrupt:
            self._settle()
            if self.good.course["step"] > self.written_step:
                self._write(self.good)
            raise Interrupted(self._history("interrupted")) from None
        return self._history(stopped)

    def _reason_to_stop(self) -> Literal["epochs", "patience", "max_time", None]:
        course, settings = self.course, self.settings
        if course.epoch >= settings.epochs:
            return "epochs"
        if settings.patience and course.best_epoch and course.epoch - course.best_epoch >= settings.patience:
            return "patience"
        # the weights of an epoch cut short can only be chosen if there is time left to validate them
        if settings.max_time and course.seconds >= settings.max_time - course.validating:
            return "max_time"
        return None

    def _settle(self) -> None:
        """Leave the network with the weights to keep."""
        self.optimizer.zero_grad(set_to_none=True)
        self.vae.load_state_dict(self.best or self.good.network)
        self.vae.eval()

    def _history(self, stopped: Literal["epochs", "patience", "max_time", "interrupted"]) -> History:
        course = self.course
        kept = [row for row in course.rows if course.best_epoch in (None, row["epoch"])]
        parts = _nats(kept[-1]) if kept else {}
        if parts and (nats := sum(parts.values())) < 0.01:
            self._say(
                f"the latent is dead: KL {nats:.3g} nats an item, so what is drawn from it says nothing; lower the "
                f"weight of the KL, raise it more slowly, or steer it to a rate target"
            )
        rows = [dict(sorted(row.items(), key=lambda item: _column(item[0]))) for row in course.rows]
        return History(rows, course.best_epoch, stopped, course.notes, course.machine["threads"])

    def _say(self, sentence: str) -> None:
        if sentence not in self.course.notes:
            self.course.notes = [*self.course.notes, sentence]
            for tracker in self.trackers:
                if isinstance(tracker, Progress):
                    tracker.say(sentence)

    # -- one step, one epoch ----------------------------------------------------------------------------------------

    @property
    def progress(self) -> float:
        """How much of training is over, by steps or by time, whichever is further: 0 to 1."""
        share = self.course.step / (self.settings.epochs * self.steps_per_epoch)
        if self.settings.max_time:
            share = max(share, self.course.seconds / self.settings.max_time)
        return min(1.0, share)

    @property
    def learning_rate(self) -> float:
        rate = self.settings.learning_rate * 0.5**self.course.strikes
        return rate * 0.5 * (1 + math.cos(math.pi * self.progress)) if self.settings.decay == "cosine" else rate

    def _step(self) -> None:
        course = self.course
        keep = course.step % _KEEP == 0
        write = self.checkpoint is not None and self.unwritten >= self.checkpoint_seconds
        note = self._note() if keep or write else None
        course.weights = self.schedule.weights(self.progress, _nats(course.means))
        self.vae.progress = self.progress
        sums, items = self._within_memory(self._gradients)
        sums = self._of_all(sums)
        norm = get_total_norm([parameter.grad for parameter in self.parameters if parameter.grad is not None])
        # the CPU can be asked at every step; a GPU is not waited for until it matters
        if (note or self.device.type == "cpu") and not math.isfinite(sums["loss"] + norm):
            raise _NotFiniteError
        if note:
            state = self._proven(note)
            self.good = state if keep else self.good
            if write:
                self._write(state)
        self._limit(norm)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate
        self.optimizer.step()
        self.recent = {name: total + self.recent.get(name, 0.0) for name, total in sums.items()}
        course.recent_items += items
        course.batch += 1
        course.step += 1
        course.taken += 1
        if course.step % _READ == 0:
            self._look()
        for tracker in self.trackers:
            if isinstance(tracker, Progress):
                tracker.advance(self.progress, self._lately)
        if course.batch == self.steps_per_epoch:
            self._end_epoch(judge=True)

    def _indices(self) -> tuple[Tensor, ...]:
        """The items of each step of this epoch: a shuffle from a stream of its own, which depends on nothing else."""
        epoch = self.course.epoch
        if self._order[0] != epoch:
            chance = rng.generator(self.settings.seed, "epoch", epoch)
            order = torch.from_numpy(chance.permutation(len(self.data)))
            length_B = getattr(self.data, "length_B", None)
            if length_B is not None:  # items of like lengths share a step, so that little of it is padding
                pool = torch.arange(len(order)) // (_POOL * self.settings.batch_size)
                order = order[(pool * (int(length_B.max()) + 1) + length_B[order]).argsort(stable=True)]
            steps = order.tensor_split(self.steps_per_epoch)
            if length_B is not None:
                steps = tuple(steps[i] for i in chance.permutation(len(steps)))
            self._order = (epoch, steps)
        return self._order[1]

    def _terms(self) -> dict[str, Any]:
        """What else tells this training from another."""
        return {}

    def _limit(self, norm: Tensor) -> None:
        """Follow long gradients only so far."""
        if self.settings.clip is not None:
            clip_grads_with_norm_(self.parameters, self.settings.clip, norm)

    def _gradients(self) -> tuple[dict[str, Tensor], int]:
        """Gradients of the mean loss over this step's items; the sums of loss and parts over them, and how many.

        Of a team each worker has those of its own share, but for how many there are.
        """
        whole = self._indices()[self.course.batch]
        index = self.team.share(whole)
        self.optimizer.zero_grad(set_to_none=True)
        sums: dict[str, Tensor] = {}
        for piece in index.tensor_split(min(self.course.pieces, len(index))):
            parts = self._parts(self.data.take(piece))
            loss = self._loss(parts)
            (loss * (len(piece) / len(whole))).backward()  # type: ignore[no-untyped-call]
            found = {"loss": loss.detach() * len(piece)} | {k: part_B.detach().sum() for k, part_B in parts.items()}
            sums = {name: total + sums.get(name, 0.0) for name, total in found.items()}
        return sums, len(whole)

    def _of_all(self, sums: dict[str, Tensor]) -> dict[str, Tensor]:
        """Gradients, in place, and sums of all workers, added up."""
        if self.team.size == 1:
            return sums
        for parameter in self.parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        total = {name: sums[name].clone() for name in sorted(sums)}
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        self.team.add_up([*gradients, *total.values()])
        return {name: total[name] for name in sums}

    def _parts(self, items: Batch) -> dict[str, Tensor]:
        with devices.autocast(self.device):
            parts = self.vae.elbo(items.to(self.device))
        return {name: part_B.float() for name, part_B in parts.items()}

    def _loss(self, parts: dict[str, Tensor]) -> Tensor:
        loss = -parts["reconstruction"].mean()
        if "penalty" in parts:
            loss = loss + parts["penalty"].mean()
        for name, nats_B in _nats(parts).items():  # in the network's order: a sum depends on it, in the last bit
            nats = nats_B.mean()
            if self.schedule.free:  # of the whole batch: what is free is free on average
                nats = self._mean_of_all(nats, len(nats_B)).clamp(min=self.schedule.free)
            loss = loss + self.course.weights[name] * nats
        return loss

    def _mean_of_all(self, mean: Tensor, items: int) -> Tensor:
        """The mean over all workers' items, whose gradient is that of this worker's own."""
        if self.team.size == 1:
            return mean
        total, count = mean.detach() * items, mean.new_tensor(float(items))
        self.team.add_up([total, count])
        return mean + (total / count - mean.detach())

    def _look(self) -> None:
        """Fetch what has added up since the last look, and make sure that it is finite."""
        course = self.course
        if not course.recent_items:
            return
        sums = self._recent_sums()
        if not all(map(math.isfinite, sums.values())):
            raise _NotFiniteError
        course.totals = {name: total + course.totals.get(name, 0.0) for name, total in sums.items()}
        course.items += course.recent_items
        course.means = {name: total / course.recent_items for name, total in sums.items()}
        course.recent_items, self.recent = 0, {}
        self._log(self._scalars(course.means))

    def _lately(self) -> tuple[int, dict[str, float]]:
        """The step, and what `_look` would tell if it looked now: it changes nothing, but a GPU is waited for."""
        course = self.course
        if not course.recent_items:
            return course.step, self._scalars(course.means)
        return course.step, self._scalars({k: total / course.recent_items for k, total in self._recent_sums().items()})

    def _recent_sums(self) -> dict[str, float]:
        return dict(zip(self.recent, torch.stack(list(self.recent.values())).tolist(), strict=True))

    def _scalars(self, means: dict[str, float]) -> dict[str, float]:
        epoch = self.course.epoch + self.course.batch / self.steps_per_epoch
        return {"epoch": epoch} | means | _weight_row(self.course.weights) | {"learning_rate": self.learning_rate}

    def _end_epoch(self, judge: bool) -> None:
        """Add the epoch's row; with validation items, `judge` the weights by them."""
        self._look()
        course = self.course
        means = {name: total / course.items for name, total in course.totals.items()}
        row = {"epoch": course.epoch + 1, "step": course.step} | means | _weight_row(course.weights)
        if self.validation is not None and judge:
            began = time.monotonic()
            loss, course.validating = self.team.agreed(self._judge(self.validation), time.monotonic() - began)
            row["validation_loss"] = loss
            # before the schedule is through, low losses are bought with codes that cannot be sampled
            if self.progress >= self.schedule.full_from and (course.best_loss is None or loss < course.best_loss):
                best = on_disk.copies(self.vae.state_dict())
                self.best, course.best_loss, course.best_epoch = best, loss, course.epoch + 1
            self._log({"validation_loss": loss} | ({"best": course.best_loss} if course.best_loss is not None else {}))
        (course.seconds,) = self.team.agreed(time.monotonic() - self.clock)
        course.rows = [*course.rows, row | {"learning_rate": self.learning_rate, "seconds": course.seconds}]
        course.epoch, course.batch, course.totals, course.items = course.epoch + 1, 0, {}, 0

    def _judge(self, items: Batch) -> float:
        """The loss at full weight."""
        means = self._within_memory(lambda: self._measure(items))
        loss = self.schedule.charge(_nats(means)) - means["reconstruction"]
        if not math.isfinite(loss):
            raise _NotFiniteError
        return loss

    def _measure(self, items: Batch) -> dict[str, float]:
        """The mean of each part, from a stream of its own: training's draws go on undisturbed, and epochs compare."""
        sums: dict[str, Tensor] = {}
        pieces = min(len(items), -(-len(items) // self.settings.batch_size) * self.course.pieces)
        self.vae.eval()
        with rng.seeded(self.settings.seed, "validation"), torch.no_grad():
            for index in torch.arange(len(items)).tensor_split(pieces):
                for name, part_B in self._parts(items.take(index)).items():
                    sums[name] = part_B.sum() + sums.get(name, 0.0)
        self.vae.train()
        return {name: total.item() / len(items) for name, total in sums.items()}

    def _log(self, scalars: dict[str, float]) -> None:
        for tracker in self.trackers:
            tracker.log(self.course.step, scalars)

    # -- when things go wrong ---------------------------------------------------------------------------------------

    def _note(self) -> dict[str, Any]:
        """Where the run stands, all but the weights."""
        recent = {name: float(total) for name, total in self.recent.items()}
        return {
            "course": vars(replace(self.course, recent=recent)),
            "schedule": self.schedule.state(),
            "streams": on_disk.streams(self.device),
            "best": self.best,
        }

    def _proven(self, note: dict[str, Any]) -> State:
        """The note and the weights that go with it, now that these are known to give a finite loss."""
        return State(
            **note,
            network=on_disk.copies(self.vae.state_dict()),
            optimizer=on_disk.copies(on_disk.moments(self.optimizer, self.vae)),
        )

    def _restore(self, state: State) -> None:
        """Everything as it was in `state`, but for the random streams."""
        self.vae.load_state_dict(state.network)
        on_disk.set_moments(self.optimizer, self.vae, state.optimizer)
        self.schedule.load(state.schedule)
        self.course = _Course(**state.course)
        self.recent = {k: torch.tensor(total, device=self.device) for k, total in self.course.recent.items()}
        self.best = {name: tensor.to(self.device) for name, tensor in state.best.items()}

    def _write(self, state: State) -> None:
        if self.checkpoint is None or not self.team.first:
            return
        try:
            on_disk.write(self.checkpoint, state, self.prints)
            self.written_step = state.course["step"]
        except FileError as error:
            self._say(f"the checkpoint could not be written, and training goes on without: {error}")
        self.written = time.monotonic()

    def _roll_back(self) -> None:
        """Back to the last good state, at half the learning rate and on new noise; the third time, give up."""
        gone = self.course
        if gone.strikes + 1 == _STRIKES:
            self._settle()
            raise TrainingError(
                f"loss and gradients must stay finite, however: they did not for the {_STRIKES}rd time, at step "
                f"{gone.step} with learning_rate={self.learning_rate:.2g}; use a learning_rate of "
                f"{self.settings.learning_rate / 10:.2g}, set clip=1, and look for extreme values in the data "
                f"(the network keeps its last good weights)"
            )
        self._restore(self.good)
        self.course = replace(
            self.course,
            strikes=gone.strikes + 1,
            taken=gone.taken,
            pieces=gone.pieces,
            seconds=gone.seconds,
            notes=gone.notes,
        )
        self._say(
            f"loss or gradients were not finite at step {gone.step}: went back to step {self.course.step} and halved "
            f"the learning rate to {self.settings.learning_rate * 0.5**self.course.strikes:.2g}"
        )

    def _within_memory(self, work: Callable[[], T]) -> T:
        """Do `work`; when memory runs out, cut batches into twice as many pieces, and do it again.

        The pieces' gradients are added up, so that a step remains the same step.
        """
        while True:
            try:
                return work()
            except (MemoryError, RuntimeError) as error:
                if not _is_out_of_memory(error):
                    raise
                if self.course.pieces >= self.settings.batch_size:
                    raise TrainingError(
                        "training must fit into memory, however: not even a single item does; "
                        "use a smaller network or shorter items"
                    ) from error
            # only here, outside the handler, has the traceback let go of what did not fit
            self.optimizer.zero_grad(set_to_none=True)
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            self.course.pieces *= 2
            self._say("memory ran out: batches are computed in pieces from here on, which is slower")


def _nats(parts: Mapping[str, T]) -> dict[str, T]:
    return {name: value for name, value in parts.items() if name.startswith("kl_")}


def _weight_row(weights: dict[str, float]) -> dict[str, float]:
    return {f"weight_{name}": weight for name, weight in weights.items()}


_COLUMNS = "epoch", "step", "loss", "reconstruction", "kl_", "weight_", "validation_loss", "learning_rate", "seconds"


def _column(name: str) -> tuple[int, str]:
    """Where a column stands in the history, also when JSON has forgotten it."""
    return next((place for place, start in enumerate(_COLUMNS) if name.startswith(start)), len(_COLUMNS)), name


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(words in str(error) for words in ("not enough memory", "can't allocate memory", "out of memory"))
