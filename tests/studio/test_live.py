"""What a page is told of a training: often enough to be looked at, however slow the steps are."""

import pytest

from synthloom.studio.projects import Projects
from synthloom.studio.work import live as module
from synthloom.studio.work.live import Live


@pytest.fixture
def told(tmp_path, monkeypatch):
    """A page's view of a training, and a clock that the test moves."""
    clock = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: clock[0])
    project = Projects(tmp_path).new().introduce("a", "table")
    live = Live(project, dict)
    live.start({"share": 0.0, "epochs": 10, "parameters": 5, "step": 0})
    return project, live, clock


def lately(step):
    return lambda: (step, {"epoch": step / 10, "loss": 30.0 - step, "kl_gaussian": 1.5})


def test_the_curve_moves_with_every_slow_step(told):
    project, live, clock = told
    for step in range(1, 6):
        clock[0] += 0.9
        live.advance(step / 100, lately(step))
        seen = project.load("live")
        assert seen["points"][-1][:2] == [step, 30.0 - step]
        assert (seen["epoch"], seen["nats"]) == (step / 10, 1.5)


def test_quick_steps_are_told_of_by_training_alone(told):
    project, live, clock = told
    for step in range(1, 101):
        clock[0] += 0.02
        if step % 10 == 0:
            live.log(*lately(step)())
        live.advance(step / 100, lately(step))
    assert [point[0] for point in live.points] == list(range(10, 101, 10))
    assert project.load("live")["points"]


def test_who_goes_on_is_in_the_round_where_it_was(told):
    project, live, clock = told
    clock[0] += 1
    live.advance(0.5, lately(50))
    again = Live(project, dict)
    again.start({"share": 0.5, "epochs": 10, "parameters": 5, "step": 50})
    assert project.load("live")["epoch"] == 5.0
    assert [point[0] for point in again.points] == [50]
