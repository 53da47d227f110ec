"""Who is at work: one trains at a time, others wait, and what ends badly says so and loses nothing."""

import itertools
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from synthloom.studio import jobs as jobs_module
from synthloom.studio.jobs import Jobs
from synthloom.studio.projects import Project, Projects

WORKER = """
import json, os, sys, threading, time
from pathlib import Path

def end():
    while os.read(0, 1): pass
    os._exit(3)

threading.Thread(target=end, daemon=True).start()
folder, seconds, word = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
began = time.time()
until = began + seconds
while time.time() < until and not (folder / "wish").exists():
    time.sleep(0.01)
(folder / "ran.json").write_text(json.dumps([began, time.time()]))
if word == "die":
    os._exit(9)
(folder / "outcome.json").write_text(json.dumps({"state": word}))
"""


@pytest.fixture
def projects(tmp_path):
    return Projects(tmp_path)


@pytest.fixture
def working(monkeypatch):
    """Workers that only wait, so that the order of things can be seen; a test says for how long, and how they end."""
    how = {"seconds": 0.3, "word": "done"}
    real = jobs_module.command

    def command(action, project):
        said = [sys.executable, "-c", WORKER, str(project.folder), str(how["seconds"]), how["word"]]
        return real(action, project) | {"args": said}

    monkeypatch.setattr(jobs_module, "command", command)
    jobs = Jobs()
    yield jobs, how
    jobs.close()


def wait(*projects):
    until = time.monotonic() + 60
    while any(project.busy for project in projects):
        assert time.monotonic() < until
        time.sleep(0.02)


def test_twenty_requests_at_once_begin_one_training(projects, working):
    jobs, _ = working
    project = projects.new().introduce("a", "table")
    with ThreadPoolExecutor(20) as many:
        begun = list(many.map(lambda _: jobs.start(project, "train"), range(20)))
    assert sum(begun) == 1
    wait(project)
    assert project.job["state"] == "done"


def test_trainings_follow_one_another(projects, working):
    jobs, _ = working
    several = [projects.new().introduce(str(i), "table") for i in range(3)]
    assert all(jobs.start(project, "train") for project in several)
    wait(*several)
    spans = sorted(json.loads(project.path("ran.json").read_text()) for project in several)
    assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(spans))


def test_reading_does_not_wait_for_a_training(projects, working):
    jobs, how = working
    how["seconds"] = 30
    slow, quick = projects.new().introduce("slow", "table"), projects.new().introduce("quick", "table")
    jobs.start(slow, "train")
    while slow.job["state"] != "running":
        time.sleep(0.02)
    how["seconds"] = 0
    jobs.start(quick, "read")
    wait(quick)
    assert slow.busy


def test_one_that_waits_can_be_let_go(projects, working):
    jobs, _ = working
    first, second = projects.new().introduce("first", "table"), projects.new().introduce("second", "table")
    jobs.start(first, "train")
    jobs.start(second, "train")
    jobs.wish(second, "stop")
    assert second.job["state"] == "cancelled"
    wait(first)
    assert not second.path("ran.json").exists()


def test_a_wish_reaches_the_worker(projects, working):
    jobs, how = working
    how["seconds"] = 60
    project = projects.new().introduce("a", "table")
    jobs.start(project, "train")
    while project.job["state"] != "running":
        time.sleep(0.02)
    jobs.wish(project, "stop")
    wait(project)
    assert project.job["state"] == "done"


def test_a_worker_that_dies_is_said_to(projects, working):
    jobs, how = working
    how["word"] = "die"
    project = projects.new().introduce("a", "table")
    project.save("facts", {"kept": True})
    jobs.start(project, "train")
    wait(project)
    assert project.job["state"] == "failed"
    assert "code 9" in project.job["said"]
    assert project.load("facts") == {"kept": True}


def test_workers_end_with_the_studio(projects, working):
    jobs, how = working
    how["seconds"] = 60
    project, waiting = projects.new().introduce("a", "table"), projects.new().introduce("b", "table")
    jobs.start(project, "train")
    jobs.start(waiting, "train")
    while project.job["state"] != "running":
        time.sleep(0.02)
    began = time.monotonic()
    jobs.close()
    assert time.monotonic() - began < 30  # the worker would take 60
    Projects(projects.folder).recover()
    assert [p.job["state"] for p in (project, waiting)] == ["interrupted", "interrupted"]


def test_what_had_ended_before_a_crash_had_ended(projects):
    project = projects.new().introduce("a", "table")
    project.save("job", {"action": "train", "state": "running"})
    project.save("outcome", {"state": "done"})
    projects.recover()
    assert project.job["state"] == "done"


def test_projects_survive_and_are_swept(projects):
    old, new = projects.new().introduce("old.csv", "table"), projects.new().introduce("new.csv", "text")
    old.change("card", touched=time.time() - 40 * 86_400)
    again = Projects(projects.folder, days=30)
    assert [project.card["name"] for project in again] == ["new.csv", "old.csv"]
    assert again.sweep() == 1
    assert [project.id for project in again] == [new.id]
    assert not old.folder.exists()


def test_what_is_at_work_is_not_swept(projects):
    project = projects.new().introduce("a", "table")
    project.change("card", touched=0.0)
    project.save("job", {"state": "running"})
    assert projects.sweep() == 0


def test_a_document_is_whole_or_not_there(tmp_path):
    project = Project(tmp_path)
    project.save("card", {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        project.save("card", {"a": float("nan")})
    assert project.load("card") == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["card.json"]
