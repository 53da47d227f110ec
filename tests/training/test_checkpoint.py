"""Resuming goes on to the same bytes, wherever a run was cut off and however; and never with what does not belong."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from synthloom import archive
from synthloom.errors import FileError, ModelFileError
from synthloom.training import Constant, Cyclical, FreeBits, Interrupted, RateTarget, checkpoint_seed, train
from synthloom.training.checkpoint import moments, set_moments


class CutError(Exception):
    pass


class Cut:
    """A tracker that breaks training off once `step` steps are done, in whatever way it is told to."""

    def __init__(self, step, error=CutError):
        self.step, self.error = step, error

    def start(self, info):
        pass

    def log(self, step, scalars):
        if step >= self.step:
            raise self.error

    def close(self):
        pass


def timeless(rows):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


@pytest.fixture(scope="module")
def train_toy(toy):
    """Train a fresh network; the same one each time, unless told otherwise: 48 steps in 6 epochs."""

    def go(net=None, settings=None, schedule=None, data=None, held=None, **options):
        net = net or two_parts(toy.network())
        settings, schedule = settings or toy.settings(epochs=6), schedule or RateTarget(2.0)
        data, held = data or toy.points(), held or toy.points(80, seed=1)
        return net, train(net, data, held, settings, schedule, **options)

    return go


def two_parts(net):
    """With a second KL, out of alphabetical order: the sum of three terms depends on theirs."""
    elbo = net.elbo
    net.elbo = lambda batch: (parts := elbo(batch)) | {"kl_again": 0.3 * parts["kl_gaussian"].sqrt()}
    return net


@pytest.fixture(scope="module")
def straight(train_toy):
    """What comes of training that nothing has cut off."""
    return train_toy()


@pytest.fixture
def run(train_toy, tmp_path):
    def go(*args, **options):
        return train_toy(*args, **options)

    go.path = tmp_path / "run.checkpoint"
    return go


@pytest.mark.parametrize(
    ("step", "seconds", "error"),
    [
        *(
            (step, 0, CutError) for step in (1, 8, 16, 17, 20, 30, 40)
        ),  # in an epoch, at its end, before the schedule moves ..
        *((step, 1e9, CutError) for step in (10, 30)),  # .. with nothing on disk but the beginning
        *((step, seconds, KeyboardInterrupt) for step in (10, 24) for seconds in (0, 1e9)),
    ],
)
def test_a_resumed_run_ends_with_the_same_bytes(toy, run, straight, step, seconds, error):
    with pytest.raises((CutError, Interrupted)):
        run(checkpoint=run.path, checkpoint_seconds=seconds, trackers=[Cut(step, error)])
    written = archive.read(run.path).documents["course"]["step"]
    assert written == 0 if seconds else step - 1 <= written <= step + 9
    resumed, history = run(checkpoint=run.path, resume=True)
    assert toy.same(straight[0], resumed)
    assert timeless(history.rows) == timeless(straight[1].rows)
    assert [list(row) for row in history.rows] == [list(row) for row in straight[1].rows]
    assert (history.best_epoch, history.notes) == (straight[1].best_epoch, straight[1].notes)


@pytest.mark.parametrize("schedule", [Constant(), FreeBits(0.5, Cyclical(3))], ids=repr)
def test_every_schedule_goes_on(toy, run, schedule):
    uncut, _ = run(schedule=schedule)
    with pytest.raises(CutError):
        run(schedule=schedule, checkpoint=run.path, checkpoint_seconds=0, trackers=[Cut(20)])
    assert toy.same(uncut, run(schedule=schedule, checkpoint=run.path, resume=True)[0])


def test_a_run_resumed_many_times_ends_with_the_same_bytes(toy, run, straight):
    for step in range(1, 49, 8):
        with pytest.raises(CutError):
            run(checkpoint=run.path, checkpoint_seconds=0, resume=True, trackers=[Cut(step)])
    assert toy.same(straight[0], run(checkpoint=run.path, resume=True)[0])


def test_writing_checkpoints_changes_nothing(toy, run, straight):
    assert toy.same(straight[0], run(checkpoint=run.path, checkpoint_seconds=0)[0])


def test_a_resumed_run_remembers_that_it_rolled_back(toy, run):
    settings = toy.settings(epochs=12)

    def broken():
        def fault(call, parts):
            return {name: nats * float("nan") for name, nats in parts.items()} if call == faulty else parts

        return toy.break_elbo(toy.network(), fault)

    faulty = 55
    straight, history = run(broken(), settings)
    with pytest.raises(CutError):
        run(broken(), settings, checkpoint=run.path, checkpoint_seconds=0, trackers=[Cut(70)])
    faulty = None
    resumed, again = run(broken(), settings, checkpoint=run.path, resume=True)
    assert toy.same(straight, resumed)
    assert again.notes == history.notes
    assert len(again.notes) == 1


def test_more_epochs_train_on(toy, run):
    run(settings=toy.settings(epochs=3), schedule=Constant(), checkpoint=run.path)
    on, history = run(schedule=Constant(), checkpoint=run.path, resume=True)
    straight, _ = run(schedule=Constant())
    assert toy.same(on, straight)
    assert len(history.rows) == 6


def test_more_time_trains_on(toy, run, straight):
    """What was cut short in the middle of an epoch goes on from there: the row of the part is not kept."""
    short = toy.settings(epochs=6, max_time=1e-6)
    assert run(settings=short, checkpoint=run.path)[1].stopped == "max_time"
    with pytest.raises(CutError):
        run(checkpoint=run.path, resume=True, checkpoint_seconds=0, trackers=[Cut(20)])
    _, cut = run(settings=short, checkpoint=run.path, resume=True)
    assert len(cut.rows) == 3
    resumed, again = run(checkpoint=run.path, resume=True)
    assert toy.same(straight[0], resumed)
    assert timeless(again.rows) == timeless(straight[1].rows)


@pytest.mark.parametrize("stop", [{"epochs": 3}, {"epochs": 100, "patience": 1, "learning_rate": 0.3}])
def test_what_is_finished_stays_finished(toy, run, stop):
    settings = toy.settings(**stop)
    first, history = run(settings=settings, schedule=Constant(), checkpoint=run.path)
    second, again = run(settings=settings, schedule=Constant(), checkpoint=run.path, resume=True)
    assert toy.same(first, second)
    assert replace(again, rows=timeless(again.rows)) == replace(history, rows=timeless(history.rows))


def test_with_no_checkpoint_there_yet_resuming_starts(toy, run, straight):
    assert toy.same(run(checkpoint=run.path, resume=True)[0], straight[0])


def test_without_resume_a_run_starts_anew(toy, run, straight):
    run(settings=toy.settings(epochs=3), checkpoint=run.path)
    assert toy.same(run(checkpoint=run.path)[0], straight[0])


# -- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (lambda toy: {"settings": toy.settings(seed=1)}, "settings, seed was 0 and is 1"),
        (lambda toy: {"settings": toy.settings(batch_size=51)}, "batch_size was 50 and is 51"),
        (lambda toy: {"settings": toy.settings(clip=1.0)}, "clip was none and is 1.0"),
        (lambda toy: {"schedule": RateTarget(2.5)}, "schedule was RateTarget"),
        (lambda toy: {"data": toy.points(401)}, "data was 400 items"),
        (lambda toy: {"data": toy.points(seed=5)}, "data was 400 items"),
        (lambda toy: {"held": toy.points(79, seed=1)}, "validation was 80 items"),
        (
            lambda toy: {"net": two_parts(toy.network(width=17))},
            "network, decoder.body.0.bias was float32 16 and is float32 17",
        ),
    ],
)
def test_a_checkpoint_of_another_training_is_refused_by_name(toy, run, changed, named):
    settings = toy.settings(epochs=1)
    run(settings=settings, checkpoint=run.path)
    before = run.path.read_bytes()
    with pytest.raises(ModelFileError, match=named):
        run(**({"settings": settings} | changed(toy)), checkpoint=run.path, resume=True)
    assert run.path.read_bytes() == before


def test_one_changed_cell_is_another_training(toy, run):
    run(settings=toy.settings(epochs=1), checkpoint=run.path)
    data = toy.points()
    data.x_ND[123, 4] += 1e-3
    with pytest.raises(ModelFileError, match="data was"):
        run(settings=toy.settings(epochs=1), data=data, checkpoint=run.path, resume=True)


def test_a_file_that_is_no_checkpoint_is_refused(toy, run):
    archive.write(run.path, {"info": {}}, {})
    with pytest.raises(ModelFileError, match="must be a checkpoint"):
        run(checkpoint=run.path, resume=True)
    run(settings=toy.settings(epochs=1), checkpoint=run.path)
    run.path.write_bytes(run.path.read_bytes()[:1000])
    with pytest.raises(ModelFileError):
        run(checkpoint=run.path, resume=True)


def test_another_number_of_threads_or_torch_is_noted(toy, run):
    settings = toy.settings(epochs=1)
    run(settings=settings, checkpoint=run.path)
    stored = archive.read(run.path)
    stored.documents["course"]["machine"]["torch"] = "0.4"
    archive.write(run.path, stored.documents, stored.tensors)
    assert "0.4" in run(settings=settings, checkpoint=run.path, resume=True)[1].notes[0]


def test_the_seed_can_be_asked_for(toy, run):
    run(settings=toy.settings(epochs=1, seed=77), checkpoint=run.path)
    assert checkpoint_seed(run.path) == 77


# -- files ----------------------------------------------------------------------------------------------------------


def test_a_path_that_cannot_be_written_is_refused_before_training(run, tmp_path):
    with pytest.raises(FileError, match="folder"):
        run(checkpoint=tmp_path / "nowhere" / "run.checkpoint", trackers=[Cut(0)])


def test_a_disk_that_fails_later_does_not_end_training(run, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()

    class Remove(Cut):
        def log(self, step, scalars):
            if folder.exists():
                (folder / "run.checkpoint").unlink()
                folder.rmdir()

    _, history = run(checkpoint=folder / "run.checkpoint", checkpoint_seconds=0, trackers=[Remove(0)])
    assert history.stopped == "epochs"
    assert ["could not be written" in note for note in history.notes] == [True]


def test_moments_survive_the_way_through_tensors(toy):
    nets = [toy.network(), toy.network()]
    optimizers = [torch.optim.AdamW(net.parameters(), fused=True) for net in nets]
    for parameter in nets[0].parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizers[0].step()
    stored = moments(optimizers[0], nets[0])
    assert {name.split("/")[0] for name in stored} == {"step", "exp_avg", "exp_avg_sq"}
    set_moments(optimizers[1], nets[1], stored)
    again = moments(optimizers[1], nets[1])
    assert all(torch.equal(tensor, again[name]) for name, tensor in stored.items())
    assert all(tensor.data_ptr() != again[name].data_ptr() for name, tensor in stored.items())


def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path):
    """`kill -9`, five times, at moments nobody chose, with a checkpoint written at every step."""
    told = subprocess.run(
        [sys.executable, Path(__file__).with_name("killed.py"), tmp_path, "5"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    result = json.loads(told.stdout)
    assert result == {"kills": 5, "loaded": 5, "leftovers": [], "same": True, "steps": result["steps"]}
    assert result["steps"] == sorted(result["steps"])
    assert result["steps"][-1] > 0
