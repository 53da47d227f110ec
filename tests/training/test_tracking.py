"""Who is told, what they are told, and that they are let go of in the end."""

import sys
from types import ModuleType

import pandas as pd
import pytest

from synthloom.errors import UsageError
from synthloom.training import Constant, CsvTracker, TensorBoardTracker, WandbTracker, train
from synthloom.training.tracking import Progress


def go(toy, **options):
    return train(
        toy.network(),
        toy.points(),
        toy.points(80, seed=1),
        toy.settings(),
        Constant(),
        **({"progress": False} | options),
    )


def test_csv_holds_every_number(toy, tmp_path):
    history = go(toy, trackers=[CsvTracker(tmp_path / "curves.csv")])
    curves = pd.read_csv(tmp_path / "curves.csv").pivot(index="step", columns="name", values="value")
    assert {"loss", "reconstruction", "kl_gaussian", "weight_kl_gaussian", "learning_rate"} < set(curves.columns)
    assert curves["validation_loss"].dropna().tolist() == [row["validation_loss"] for row in history.rows]
    assert curves.index.is_monotonic_increasing
    assert curves.index[-1] == history.rows[-1]["step"]


def test_what_it_is_lately_can_be_asked_at_every_step_and_changes_nothing(toy):
    class Curious(Progress):
        def __init__(self):
            self.logged, self.seen = {}, []

        def start(self, info):
            pass

        def log(self, step, scalars):
            if "loss" in scalars:
                self.logged[step] = dict(scalars)

        def advance(self, share, lately):
            self.seen.append(lately())

        def close(self):
            pass

    curious = Curious()
    assert go(toy, trackers=[curious]).rows[-1]["loss"] == go(toy).rows[-1]["loss"]
    assert [step for step, _ in curious.seen] == list(range(1, len(curious.seen) + 1))
    asked = dict(curious.seen)
    assert all(asked[step] == scalars for step, scalars in curious.logged.items() if step % 10 == 0)
    assert asked[1]["loss"] != asked[2]["loss"] != asked[10]["loss"]


def test_csv_goes_on_where_training_is_resumed(toy, tmp_path):
    whole, parts = tmp_path / "whole.csv", tmp_path / "parts.csv"
    go(toy, trackers=[CsvTracker(whole)])

    class Cut(CsvTracker):
        def log(self, step, scalars):
            super().log(step, scalars)
            if step >= 20:
                raise InterruptedError

    options = {"checkpoint": tmp_path / "run.checkpoint", "checkpoint_seconds": 0}
    with pytest.raises(InterruptedError):
        go(toy, trackers=[Cut(parts)], **options)
    go(toy, trackers=[CsvTracker(parts)], resume=True, **options)
    assert parts.read_text() == whole.read_text()


def test_csv_of_another_run_is_written_anew(toy, tmp_path):
    (tmp_path / "curves.csv").write_text("old")
    go(toy, trackers=[CsvTracker(tmp_path / "curves.csv")])
    assert "old" not in (tmp_path / "curves.csv").read_text()


def test_tensorboard_can_read_what_is_written(toy, tmp_path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    history = go(toy, trackers=[TensorBoardTracker(tmp_path)])
    found = events.EventAccumulator(str(tmp_path)).Reload()
    assert [e.value for e in found.Scalars("validation_loss")] == pytest.approx(
        [row["validation_loss"] for row in history.rows]
    )


def test_wandb_is_told_and_stays_offline(toy, monkeypatch):
    calls = []

    class Run:
        def log(self, scalars, step):
            calls.append((step, scalars))

        def finish(self):
            calls.append("finish")

    wandb = ModuleType("wandb")
    wandb.init = lambda **options: calls.append(options) or Run()
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    go(toy, trackers=[WandbTracker("project")])
    assert calls[0]["mode"] == "offline"
    assert calls[0]["config"]["learning_rate"] == 1e-2
    assert calls[1][0] == 8
    assert calls[-1] == "finish"


@pytest.mark.parametrize(
    ("tracker", "module", "extra"),
    [(WandbTracker("project"), "wandb", "wandb"), (TensorBoardTracker("x"), "torch.utils.tensorboard", "track")],
)
def test_a_missing_package_names_the_extra(toy, monkeypatch, tracker, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=rf"pip install \"synthloom\[{extra}\]\""):
        go(toy, trackers=[tracker])


def test_trackers_are_closed_whatever_happens(toy):
    closed = []

    class Fails:
        def __init__(self, when):
            self.when = when

        def start(self, info):
            if self.when == "start":
                raise InterruptedError

        def log(self, step, scalars):
            if self.when == "log":
                raise InterruptedError

        def close(self):
            closed.append(self.when)

    for when in ("log", "start"):
        with pytest.raises(InterruptedError):
            go(toy, trackers=[Fails("never"), Fails(when)])
    assert closed == ["log", "never", "never"]


def test_the_bar_shows_epoch_loss_best_and_time_left(toy, capsys):
    go(toy, progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    for word in ("epoch", "loss", "best", "left"):
        assert word in shown.err


def test_the_bar_says_what_the_user_should_know(toy, capsys):
    toy_net = toy.break_elbo(
        toy.network(), lambda call, parts: {k: v * (float("nan") if call == 5 else 1) for k, v in parts.items()}
    )
    train(toy_net, toy.points(), None, toy.settings(), Constant(), progress=True)
    assert "halved the learning rate" in capsys.readouterr().err


def test_without_a_terminal_nothing_is_shown(toy, capsys):
    go(toy, progress=None)
    assert capsys.readouterr() == ("", "")
