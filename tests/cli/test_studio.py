"""The studio's verb where what it needs is missing."""

import sys

import pytest

from synthloom.cli import main


@pytest.mark.parametrize("missing", [["fastapi"], ["uvicorn"], ["fastapi", "uvicorn", "python_multipart"]])
def test_what_is_missing_is_said_in_one_line(tmp_path, monkeypatch, capsys, missing):
    for name in missing:
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not there
    nowhere = tmp_path / "file"
    nowhere.touch()  # a studio that began all the same would end here
    assert main(["studio", "--no-browser", "--folder", str(nowhere)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert f"needs {', '.join(missing)}, however" in said.err
    assert 'pip install "synthloom[studio]"' in said.err
