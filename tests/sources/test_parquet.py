import datetime
import decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

from synthloom.errors import DataError, FileError
from synthloom.sources import chunks, read_table, write_table


def every_type():
    return pd.DataFrame(
        {
            "small": np.array([1, 2, 3], "int16"),
            "large": np.array([1, 2, 2**64 - 1], "uint64"),
            "gappy": pd.array([1, None, 3], "Int32"),
            "half": pd.array([True, None, False], "boolean"),
            "bool": [True, False, True],
            "float": [0.1, np.nan, np.inf],
            "small float": np.array([0.1, np.nan, 3], "float32"),
            "text": ["a", None, ""],
            "level": pd.Categorical(["low", "high", None], ["low", "middle", "high"], ordered=True),
            "time": pd.Series(["2024-05-06 07:08:09.123456789", None, "2024-01-01"], dtype="datetime64[ns]"),
            "zoned": pd.Series(["2024-05-06", None, "2024-01-01"], dtype="datetime64[us, Europe/Berlin]"),
            "span": pd.to_timedelta(["1s", None, "-1s"]),
            "date": [datetime.date(2024, 5, 6), None, datetime.date(2024, 1, 1)],
            "money": [decimal.Decimal("1.50"), None, decimal.Decimal("0.00")],
            "näme.x": [1, 2, 3],
        }
    )


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "t.parquet"
    frame = every_type()
    assert write_table((frame.iloc[i : i + 1] for i in range(3)), path) == 3
    assert_frame_equal(read_table(path), frame)
    for rows in (1, 2):
        assert_frame_equal(pd.concat(list(chunks(path, rows)), ignore_index=True), frame)


def test_without_rows_the_types_stay(tmp_path):
    path = tmp_path / "t.parquet"
    write_table(every_type().iloc[:0], path)
    (only,) = chunks(path)
    assert_frame_equal(only, read_table(path))
    kept = [name for name in only if name not in ("date", "money", "level")]  # these three say what they are by values
    assert_frame_equal(only[kept], every_type()[kept].iloc[:0])


def test_integers_with_gaps_stay_integers_in_every_chunk(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"i": pa.array([1, 2, None], pa.int32()), "b": [True, None, False]}), path)
    assert [str(dtype) for dtype in read_table(path).dtypes] == ["Int32", "boolean"]
    assert [str(dtype) for dtype in next(chunks(path, 1)).dtypes] == ["Int32", "boolean"]


@pytest.mark.parametrize("index", [pd.Index([7, 8], name="id"), pd.Index([7, 8]), pd.RangeIndex(5, 7)])
def test_an_index_is_no_data(tmp_path, index):
    frame = pd.DataFrame({"x": [1, 2]}, index=index)
    frame.to_parquet(tmp_path / "theirs.parquet")
    write_table(frame, tmp_path / "ours.parquet")
    for path in tmp_path.iterdir():
        assert_frame_equal(read_table(path), pd.DataFrame({"x": [1, 2]}))


def test_parts_agree_on_types_and_levels(tmp_path):
    first = pa.table({"i": pa.array([1], pa.int32()), "n": pa.nulls(1), "d": pa.array(["p"]).dictionary_encode()})
    second = pa.table({"d": pa.array(["q"]).dictionary_encode(), "n": ["word"], "i": pa.array([2**40])})
    pq.write_table(first, tmp_path / "1.parquet")
    pq.write_table(second, tmp_path / "2.parquet")
    frame = pd.DataFrame({"i": [1, 2**40], "n": [None, "word"], "d": pd.Categorical(["p", "q"])})
    frame["n"] = frame["n"].astype(pd.Series(["a"]).dtype)
    assert_frame_equal(read_table(tmp_path), frame)
    assert_frame_equal(pd.concat(list(chunks(tmp_path, 1)), ignore_index=True), frame)


def test_parts_of_other_tables_are_refused_by_name(tmp_path):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "1.parquet")
    for other in ({"b": [1]}, {"a": ["x"]}):
        pq.write_table(pa.table(other), tmp_path / "2.parquet")
        with pytest.raises(DataError, match=r"2\.parquet"):
            read_table(tmp_path)


@pytest.mark.parametrize("value", [[1], {"x": 1}, [{"x": [1]}]])
def test_nested_columns_are_refused_by_name(tmp_path, value):
    pq.write_table(pa.table({"a": [1], "odd": [value]}), tmp_path / "t.parquet")
    for attempt in (read_table, lambda path: next(chunks(path))):
        with pytest.raises(DataError, match=r"'odd' holds .*explode"):
            attempt(tmp_path / "t.parquet")
    with pytest.raises(DataError, match="'odd'"):
        write_table(pd.DataFrame({"a": [1], "odd": pd.Series([value])}), tmp_path / "new.parquet")


@pytest.mark.parametrize("values", [[1, "a"], ["\ud800"], [1, 2**70]])
def test_what_a_column_cannot_hold_is_refused_by_name(tmp_path, values):
    frame = pd.DataFrame({"a": 1, "odd": pd.Series(values, dtype=object)})
    with pytest.raises(DataError, match="'odd'"):
        write_table(frame, tmp_path / "t.parquet")
    assert not list(tmp_path.iterdir())


def test_a_column_twice_is_refused(tmp_path):
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], ["a", "a"]), tmp_path / "t.parquet")
    with pytest.raises(DataError, match="'a' is there more than once"):
        read_table(tmp_path / "t.parquet")


def test_damage_is_said_in_one_line(tmp_path):
    path = tmp_path / "t.parquet"
    write_table(every_type(), path)
    whole = path.read_bytes()
    for damaged in (b"", b"hello", whole[:-9], whole[: len(whole) // 2], b"PAR1" + bytes(90) + whole[94:]):
        path.write_bytes(damaged)
        with pytest.raises(FileError, match=r"t\.parquet") as caught:
            read_table(path)
        assert "\n" not in str(caught.value)
