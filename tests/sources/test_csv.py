import csv
import gzip
import io
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from synthloom.errors import DataError, FileError, SynthloomError
from synthloom.sources import chunks, encodings, read_table, write_table
from synthloom.sources import csv as module
from synthloom.sources.fields import MISSING

TEXT = str(pd.Series(["a"]).dtype)  # what pandas takes text to be: object before 3.0, str since
LATE = 30_000  # lines of "1,2" that fill more than one block of the parser


@pytest.fixture(autouse=True, scope="module")
def small_limits():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LONGEST", 1 << 16)
        patch.setattr(encodings, "LONGEST", 1 << 16)
        patch.setattr(module, "_HELD", 1 << 8)
        yield


def put(folder, content):
    path = folder / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# -- written and read again -------------------------------------------------------------------------------------------

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    [*MISSING, "1", "True", "-", "=1"]
)
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=5).filter(str.strip)
INT64 = st.integers(-(2**63), 2**63 - 1)
UINT64 = st.integers(0, 2**64 - 1)


def column(size):
    """A column of a type that CSV can hold: with gaps only in a nullable type, large integers only where needed."""

    def many(values, count):
        return st.lists(values, min_size=count, max_size=count)

    def gappy(values, first, dtype):
        return many(values | st.none(), size - 2).map(lambda v: pd.array([first, *v, None], dtype=dtype))

    return st.one_of(
        many(INT64, size).map(lambda v: np.array(v, "int64")),
        gappy(INT64, -1, "Int64"),
        many(UINT64, size - 1).map(lambda v: np.array([2**64 - 1, *v], "uint64")),
        gappy(UINT64, 2**64 - 1, "UInt64"),
        many(st.floats(), size).map(lambda v: np.array(v, "float64")),
        many(st.booleans(), size).map(lambda v: np.array(v, bool)),
        gappy(st.booleans(), True, "boolean"),
        many(WORDS | st.none(), size - 1).map(lambda v: pd.Series(["a word", *v])),
    )


FRAMES = st.integers(2, 12).flatmap(lambda size: st.dictionaries(NAMES, column(size), min_size=1, max_size=5))


@settings(deadline=None, max_examples=100)
@given(columns=FRAMES, ending=st.sampled_from([".csv", ".csv.gz", ".tsv"]), rows=st.integers(1, 5))
def test_what_is_written_is_read(columns, ending, rows):
    frame = pd.DataFrame(columns)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"t{ending}"
        assert write_table(frame, path) == len(frame)
        assert_frame_equal(read_table(path), frame)
        assert_frame_equal(pd.concat(list(chunks(path, rows)), ignore_index=True), frame)


@pytest.mark.parametrize(
    "values", [pd.array([None, 1, None], "Int64"), [None, 1.5, None], ["a", None, ""], [np.nan, np.nan]]
)
def test_a_lone_column_keeps_its_gaps(tmp_path, values):
    frame = pd.DataFrame({"a": values})
    write_table(frame, tmp_path / "t.csv")
    assert_frame_equal(read_table(tmp_path / "t.csv"), frame)


def test_the_same_frame_gives_the_same_bytes(tmp_path):
    for name in ("1.csv.gz", "2.csv.gz"):
        write_table(pd.DataFrame({"a": [1.0, 2.5]}), tmp_path / name)
    assert (tmp_path / "1.csv.gz").read_bytes() == (tmp_path / "2.csv.gz").read_bytes()


def test_how_values_are_written(tmp_path):
    frame = pd.DataFrame(
        {
            "float": [3.0, 0.1, None],
            "small": np.array([0.1, np.nan, 1e10], "float32"),
            "bool": pd.array([True, False, None], "boolean"),
            "text": ['say "hi"', "", None],
            "level": pd.Categorical(["a,b", "NA", None]),
            "zoned": pd.Series(["2024-05-06 07:08:09.50", "2024-01-01", None], dtype="datetime64[ns, Europe/Berlin]"),
            "time": pd.Series(["2024-05-06 10:00:00", "2024-01-01", None], dtype="datetime64[us]"),
            "span": pd.to_timedelta(["1s", "-1s", None]),
            "mixed": [1, "a", None],
        }
    )
    write_table(frame, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text().splitlines() == [
        "float,small,bool,text,level,zoned,time,span,mixed",
        '3.0,0.1,True,"say ""hi""","a,b",2024-05-06 07:08:09.5+02:00,2024-05-06 10:00:00,0 days 00:00:01,1',
        '0.1,,False,"","NA",2024-01-01 00:00:00+01:00,2024-01-01 00:00:00,-1 days +23:59:59,a',
        ",1e+10,,,,,,,",
    ]


def test_excel_safe_disarms_formulas_and_leaves_numbers(tmp_path):
    first = list("=+-@\t\r\0")
    text = [f"{c}1+1" for c in first]
    frame = pd.DataFrame(
        {"text": text, "level": pd.Categorical(text), "mixed": [*text[:-1], -1], "number": range(-7, 0)}
    )
    write_table(frame, tmp_path / "t.csv", excel_safe=True)
    read = read_table(tmp_path / "t.csv")
    assert list(read["text"]) == list(read["level"]) == [f"'{value}" for value in text]
    assert list(read["mixed"]) == [f"'{value}" for value in [*text[:-1], -1]]
    assert list(read["number"]) == list(range(-7, 0))


@pytest.mark.parametrize("value", [[1], {"a": 1}, b"x", "\ud800"])
def test_what_a_field_cannot_hold_is_refused_by_column(tmp_path, value):
    with pytest.raises(DataError, match="'odd'"):
        write_table(pd.DataFrame({"a": [1], "odd": pd.Series([value], dtype=object)}), tmp_path / "t.csv")
    assert not list(tmp_path.iterdir())


# -- as others write --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_how_a_file_is_written_is_seen(tmp_path, delimiter, newline, encoding, pack):
    rows = [["näme", "b"], ["é", "1"], [f"x{delimiter}{newline}y", "2"], ['5" disk', "3"]]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=newline).writerows(rows)
    frame = read_table(put(tmp_path, pack(text.getvalue().encode(encoding))))
    assert_frame_equal(frame, pd.DataFrame({"näme": [row[0] for row in rows[1:]], "b": [1, 2, 3]}))


TYPES = {
    "int64": ["1|-2|-0", "9223372036854775807|-9223372036854775808|0"],
    "Int64": ["1|NA|-2", "1||3", '1|""|2', "1|  |2", " 1|2 |<NA>", '"1"|"NA"|"2"'],
    "uint64": ["18446744073709551615|1|0"],
    "UInt64": ["18446744073709551615|1|N/A"],
    "float64": [
        "1.5|2|3",
        "1|2|1e3",
        "inf|-inf|0.5",
        "NA|NaN|nan",
        "null|NULL|#N/A",
        "||",
        ".5|1.|-0.25",
        "0.1|0.02|-0",
    ],
    "bool": ["true|True|TRUE", "true|false|False", "TRUE|FALSE|true"],
    "boolean": ["true|NA|false", '"true"|""|false'],
    TEXT: [
        *("None|1|2", "?|1|2", "1|2|x", "true|1|false", "yes|no|yes"),
        *("01234|99999|00001", "-01|2|3", "007|1.5|2", "+4930123456|+1|2", "0x1F|2|3"),
        *("18446744073709551616|1|2", "18446744073709551615|-1|0"),
        *("2024-01-01|2024-01-02|NA", '""|""|', '"NA"|"NA"|', "  ||"),
    ],
}


@pytest.mark.parametrize(("dtype", "fields"), [(dtype, fields) for dtype, cases in TYPES.items() for fields in cases])
def test_the_type_is_that_of_the_whole_column(tmp_path, dtype, fields):
    path = put(tmp_path, "a,b\n" + "".join(f"{field},x\n" for field in fields.split("|")))
    frame = read_table(path)
    assert str(frame["a"].dtype) == dtype
    for rows in (1, 2):
        assert_frame_equal(pd.concat(list(chunks(path, rows)), ignore_index=True), frame)


def test_a_type_changes_with_the_last_row(tmp_path):
    path = put(tmp_path, "a,b,c\n" + "1,2,\n" * LATE + "x,2.5,7\n")
    frame = read_table(path)
    assert [str(dtype) for dtype in frame.dtypes] == [TEXT, "float64", "Int64"]
    assert (frame["a"].iloc[0], frame["b"].iloc[0], frame["c"].iloc[-1]) == ("1", 2.0, 7)
    assert {tuple(part.dtypes) for part in chunks(path)} == {tuple(frame.dtypes)}


def test_missing_marks_count_only_outside_quotes(tmp_path):
    path = put(tmp_path, "a,b\n" + "".join(f'{mark},"{mark}"\n' for mark in MISSING) + "word,word\n")
    frame = read_table(path)
    assert list(frame["a"].isna()) == [True] * len(MISSING) + [False]
    assert list(frame["b"]) == [*MISSING, "word"]


@pytest.mark.parametrize("content", ["a,b\n", "a,b", "\n\na,b\n\n\n", "a,b\n" + "\n" * 100_000])
def test_a_header_alone_is_a_table_without_rows(tmp_path, content):
    path = put(tmp_path, content)
    assert read_table(path).shape == (0, 2)
    (only,) = chunks(path)
    assert_frame_equal(only, read_table(path))


def test_blank_lines_are_no_rows(tmp_path):
    assert_frame_equal(read_table(put(tmp_path, "\na,b\n\n1,2\n\n")), pd.DataFrame({"a": [1], "b": [2]}))


# -- refused ----------------------------------------------------------------------------------------------------------

BAD = {
    "nothing": (b"", "is empty"),
    "blank lines": (b"\n\n", "is empty"),
    "too many fields": (b"a,b\n1,2\n1,2,3\n", "line 3: .* this one has 3"),
    "too few fields": (b'a,b\n1,"x\ny"\n1\n', "line 4: .* this one has 1"),
    "text without quotes": (b"text\nhello, world\n", "line 2: .* this one has 2"),
    "many rows later": (b"a,b\n" + b"1,2\n" * LATE + b"1,2,3\n", f"line {LATE + 2}: .* this one has 3"),
    "twice a name": (b"a,b,a\n1,2,3\n", "line 1: .*'a' is there more than once"),
    "an index without a name": (b",a\n0,1\n", r"line 1: .*column 1 of 2 has none.*to_csv\(index=False\)"),
    "an unclosed quote": (b'a,b\n1,"x\n2,y\n3,z\n', "line 2: quotes must close"),
    "quotes glued together": (b'a,b\n0,k\n1,"abc\n2,"def\n', "line 3: quotes must close"),
    "text after a quote": (b'a,b\n1,"ab"c\n', "line 2: quotes must close"),
    "quotes with backslashes": (b'a,b\n1,"say \\"hi\\""\n', "line 2: quotes must close"),
    "a header unclosed": (b'a,"b\n1,2\n', "line 1: quotes must close"),
    "a NUL": (b"a,b\n1,x\0y\n", "line 2: .*control characters"),
    "NULs after a power cut": (b"a\n1\n2\n" + bytes(64), "line 4: .*control characters"),
    "UTF-16 without mark": ("a,b\n1,x\n".encode("utf-16-le"), "UTF-16 without its mark"),
    "UTF-16 cut off": ("a,b\n1,x\n".encode("utf-16")[:-1], "begins as utf-16"),
    "two encodings": ("a,b\n1,é\n".encode() + "2,ü\n".encode("latin-1"), "line 3: .*line 2"),
    "no encoding": (b"a,b\n1,\x81\n", "line 2: .*neither UTF-8 nor Latin-1"),
    "a pickle": (b"\x80\x04\x95\x0b\x00", "control characters"),
    "a gzip cut off": (gzip.compress(b"a,b\n" + bytes(range(48, 58)) * 999)[:-9], "cut off or damaged"),
    "a line without end": (b"a,b\n1,2\n1,'" + b"x" * 200_000, "line 3: a row must be shorter"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_table_is_refused_by_line(tmp_path, case):
    content, message = BAD[case]
    path = put(tmp_path, content)
    for attempt in (read_table, lambda path: next(chunks(path))):
        with pytest.raises(FileError, match=message) as caught:
            attempt(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_gzip_bomb_is_refused(tmp_path):
    path = put(tmp_path, gzip.compress(b"a\n") + gzip.compress(b"1\n" * 2**22) * 40)
    with pytest.raises(FileError, match="more than 200 times"):
        next(chunks(path))


@pytest.mark.parametrize("shift", [-2, -1, 0, 1, 2])
def test_glued_quotes_are_seen_between_blocks(tmp_path, monkeypatch, shift):
    monkeypatch.setattr(module, "LONGEST", 1 << 12)
    good, bad = '1,"ab"\n', '1,"ab"c\n'
    lines = good * ((1 << 12) // len(good) + shift)
    with pytest.raises(FileError, match=f"line {lines.count(chr(10)) + 2}: quotes"):
        read_table(put(tmp_path, "a,b\n" + lines + bad + good * 2000))
    assert len(read_table(put(tmp_path, "a,b\n" + lines + good * 2000))) == lines.count("\n") + 2000


def test_chunks_take_the_memory_of_a_chunk(tmp_path):
    path = put(tmp_path, "a,b\n" + "12345678,some words in a row\n" * 200_000)
    before = pa.total_allocated_bytes()
    assert max(pa.total_allocated_bytes() - before for _ in chunks(path, 1000)) < path.stat().st_size / 5


@settings(deadline=None, max_examples=200)
@given(st.text(st.sampled_from('ab1.,"\n\r -0eN\0é'), max_size=40))
def test_any_text_is_read_as_it_stands_or_refused(text):
    with tempfile.TemporaryDirectory() as folder:
        path = put(Path(folder), text)
        try:
            frame = read_table(path)
        except SynthloomError:
            return
        header, *rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
        assert list(frame.columns) == header
        assert frame.shape == (len(rows), len(header))
        for position, name in enumerate(header):
            if str(frame[name].dtype) == TEXT:
                assert all(pd.isna(a) or a == row[position] for a, row in zip(frame[name], rows, strict=True))
        assert_frame_equal(pd.concat(list(chunks(path, 2)), ignore_index=True), frame)
