import io
import sys
from types import SimpleNamespace

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from synthloom.errors import DataError, FileError, SynthloomError, UsageError
from synthloom.sources import FORMATS, chunks, read_table, write_table

FRAME = pd.DataFrame({"number": [1, 2, 3, 4], "float": [0.5, 2.0, None, -1.0], "word": ["a", None, "c, d", "NA"]})


@pytest.mark.parametrize("ending", [*FORMATS, ".CSV"])
def test_every_format_keeps_its_law(tmp_path, ending):
    path = tmp_path / f"t{ending}"
    assert write_table(FRAME, path) == 4
    assert_frame_equal(read_table(path), FRAME)
    assert_frame_equal(read_table(str(path)), FRAME)
    parts = list(chunks(path, rows=3))
    assert max(map(len, parts)) <= 3
    assert_frame_equal(pd.concat(parts, ignore_index=True), FRAME)
    assert write_table(iter(parts), path) == 4
    assert_frame_equal(read_table(path), FRAME)


@pytest.mark.parametrize("ending", FORMATS)
def test_a_folder_of_parts_is_one_table(tmp_path, ending):
    for i in (3, 1, 2, 0):
        write_table(FRAME.iloc[i : i + 1, :: 1 if i else -1], tmp_path / f"part-{i}{ending}")
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / f".part-0{ending}.crc").touch()
    assert_frame_equal(read_table(tmp_path), FRAME.iloc[:, ::-1])
    assert_frame_equal(pd.concat(list(chunks(tmp_path, 1)), ignore_index=True), FRAME.iloc[:, ::-1])


def test_a_part_with_other_columns_is_named(tmp_path):
    write_table(FRAME, tmp_path / "1.csv")
    write_table(FRAME.rename(columns={"word": "verb"}), tmp_path / "2.csv")
    with pytest.raises(DataError, match=r"2\.csv .*'verb', 'word'"):
        read_table(tmp_path)


def test_a_folder_must_hold_parts_of_one_kind(tmp_path):
    with pytest.raises(FileError, match="holds none"):
        read_table(tmp_path)
    write_table(FRAME, tmp_path / "1.csv")
    (tmp_path / "year=2024").mkdir()
    with pytest.raises(FileError, match=r"1\.csv and year=2024"):
        read_table(tmp_path)
    (tmp_path / "year=2024").rmdir()
    write_table(FRAME, tmp_path / "2.parquet")
    with pytest.raises(FileError, match=r"1\.csv and 2\.parquet"):
        read_table(tmp_path)


def test_standard_input_and_output_are_csv(monkeypatch):
    pipe = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=pipe))
    assert write_table(FRAME, "-") == 4
    for attempt in (read_table, lambda path: pd.concat(list(chunks(path, 4)), ignore_index=True)):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(pipe.getvalue())))
        assert_frame_equal(attempt("-"), FRAME)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"a,b\n1\n")))
    with pytest.raises(FileError, match=r"^standard input, line 2: "):
        read_table("-")


@pytest.mark.parametrize("ending", FORMATS)
def test_a_write_that_fails_leaves_the_old_file(tmp_path, ending):
    path = tmp_path / f"t{ending}"
    write_table(FRAME, path)

    def frames():
        yield FRAME.iloc[:1]
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        write_table(frames(), path)
    with pytest.raises(DataError, match="one has"):
        write_table([FRAME, FRAME.iloc[:, :2]], path)
    assert_frame_equal(read_table(path), FRAME)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(index=[1, 2]),
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pd.DataFrame([[1, 2]], columns=[1, "1"]),
        pd.DataFrame({" ": [1]}),
        pd.DataFrame({"a\0": [1]}),
    ],
)
@pytest.mark.parametrize("ending", FORMATS)
def test_names_that_could_not_be_read_again_are_not_written(tmp_path, frame, ending):
    with pytest.raises(DataError):
        write_table(frame, tmp_path / f"t{ending}")
    assert not list(tmp_path.iterdir())


def test_wrong_paths_say_what_is_right(tmp_path):
    (tmp_path / "t.xlsx").touch()
    with pytest.raises(FileError, match=r"\.csv, \.csv\.gz, \.tsv, \.parquet"):
        read_table(tmp_path / "t.xlsx")
    with pytest.raises(FileError, match=r"\.csv, \.csv\.gz, \.tsv, \.parquet"):
        write_table(FRAME, tmp_path / "t.xlsx")
    for path in ("t.csv", "t.parquet"):
        with pytest.raises(FileError, match=rf"no file or folder .*{path}") as caught:
            read_table(tmp_path / path)
        assert "\n" not in str(caught.value)
    with pytest.raises(FileError, match="must not be a folder"):
        write_table(FRAME, tmp_path)
    with pytest.raises(SynthloomError, match="folder of an output file must exist"):
        write_table(FRAME, tmp_path / "no" / "t.csv")
    with pytest.raises(UsageError, match="rows=0"):
        next(chunks(tmp_path / "t.csv", 0))
    with pytest.raises(DataError, match="no frame"):
        write_table([], tmp_path / "t.csv")
