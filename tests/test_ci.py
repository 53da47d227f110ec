"""What a change must pass, on machines of all kinds: with a browser, without one, and where none can be had."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).parents[1] / ".ci" / "run"
pytestmark = pytest.mark.skipif(not RUN.exists() or os.name == "nt", reason="it is not shipped along")


@pytest.fixture
def machine(tmp_path):
    """A machine that has only these programs; what a run on it ends with, says and calls."""

    def run(**programs):
        calls = tmp_path / "calls"
        for name, body in ({"make": "exit 0", "id": "echo 0"} | programs).items():
            (tmp_path / name).write_text(f'#!/bin/sh\necho "{name} $*" >> "{calls}"\n{body}\n')
            (tmp_path / name).chmod(0o755)
        for name in ("dirname", "timeout", "bash"):
            (tmp_path / name).symlink_to(shutil.which(name))
        done = subprocess.run(
            ["bash", str(RUN)], env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60
        )
        return done.returncode, done.stdout, calls.read_text().splitlines()

    return run


MAKE = "make --keep-going lint test"
SKIPPED = "the tests in a browser are skipped"


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome"])
def test_a_browser_that_is_there_is_left_alone(machine, name):
    code, said, calls = machine(**{name: "exit 0", "apt-get": "exit 0"})
    assert (code, calls) == (0, [MAKE])
    assert SKIPPED not in said


def test_root_gets_one_without_questions(machine):
    code, said, calls = machine(**{"apt-get": 'read answer && exit 1; test "$DEBIAN_FRONTEND" || test $2 = update'})
    assert code == 0
    assert [call.split()[0] for call in calls] == ["id", "apt-get", "apt-get", "make"]
    assert "-y install" in calls[2]
    assert " chromium" in calls[2]
    assert SKIPPED not in said


@pytest.mark.parametrize(
    "programs",
    [{}, {"apt-get": "exit 100"}, {"apt-get": "test $2 = update"}, {"apt-get": "exit 0", "id": "echo 1000"}],
    ids=["no apt-get", "no index", "no such package", "not root"],
)
def test_for_want_of_one_nothing_fails(machine, programs):
    code, said, calls = machine(**programs)
    assert code == 0
    assert calls[-1] == MAKE
    assert said.count(SKIPPED) == 1


def test_what_fails_fails(machine):
    code, said, _ = machine(make="exit 2", chromium="exit 0")
    assert code != 0
    assert "All of it holds" not in said
