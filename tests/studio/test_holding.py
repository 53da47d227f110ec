"""One studio at a time in a folder, and none is kept out by one that is no more."""

import subprocess
import sys

import pytest

from synthloom.errors import FileError, UsageError
from synthloom.studio.holding import holding
from synthloom.studio.projects import Projects


def test_the_second_is_told_of_the_first(tmp_path):
    with holding(tmp_path) as tell:
        with pytest.raises(UsageError, match="just starting"), holding(tmp_path):
            pass
        tell("http://one/")
        for _ in range(2):  # being turned away takes nothing from the first
            with pytest.raises(UsageError, match=r"the one at http://one/ \(process \d+\)"), holding(tmp_path):
                pass
    with holding(tmp_path):
        pass


def test_a_dead_one_keeps_nobody_out(tmp_path):
    code = "import sys, time; from pathlib import Path; from synthloom.studio.holding import holding\n"
    code += "with holding(Path(sys.argv[1])) as tell: tell('http://dead/'); print('held', flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(UsageError, match="http://dead/"), holding(tmp_path):
            pass
        other.kill()
    with holding(tmp_path) as tell:
        tell("http://alive/")
        assert "dead" not in (tmp_path / "studio.lock").read_text()


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(FileError, match="--folder"):
        Projects(tmp_path / "file")


def test_a_second_studio_says_in_one_line_where_the_first_is(tmp_path, browser):
    command = [sys.executable, "-m", "synthloom", "studio", "--no-browser", "--folder", str(tmp_path)]
    with browser.serving(tmp_path) as address:
        second = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert second.returncode == 2
    assert second.stdout == ""
    assert address in second.stderr
    assert str(tmp_path) in second.stderr
    assert "--folder" in second.stderr
