import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthloom.errors import DataError, UsageError
from synthloom.metrics.columns import joint_codes, read_tables


def one(column, columns=None):
    """The column, read as the only one of a table."""
    (table,), _ = read_tables({"real": pd.DataFrame({"x": column})}, columns)
    return table.columns["x"]


@pytest.mark.parametrize(
    "column",
    [
        [1, 2, 2],
        [1.5, None, 2.5],
        pd.array([1, None, 2], dtype="Int64"),
        pd.to_datetime(["2020-01-01", None, "9999-12-31"]),
        pd.to_datetime(["2020-01-01", None, "2021-01-01"], utc=True),
        pd.to_timedelta(["1s", None, "2s"]),
        pd.Series([1, 2, 2]).astype("int64[pyarrow]"),
        [None, None, np.nan],
    ],
)
def test_numbers_and_times_are_numbers_and_missing_is_nan(column):
    read = one(column)
    if pd.Series(column).notna().any():
        assert read.dtype == np.float64
        assert (np.isnan(read) == pd.Series(column).isna()).all()
    else:
        assert not (read > 0).any()  # whatever it is, nothing is there


@pytest.mark.parametrize(
    "column",
    [
        ["b", None, "a"],
        pd.Categorical(["b", None, "a"]),
        pd.Categorical([1, None, 2]),
        [True, None, False],
        pd.array([True, None, False], dtype="boolean"),
        [datetime.date(2020, 1, 1), None, datetime.date(2020, 1, 2)],
        ["2020-01-01", None, "2020-01-02"],
        [1, None, "one"],
    ],
)
def test_everything_else_is_a_category_and_missing_is_zero(column):
    assert one(column).tolist() == [1, 0, 2]


def test_times_count_microseconds_whatever_their_unit_and_zone():
    tokyo = pd.to_datetime(["2020-01-01 09:00:00.000001"]).tz_localize("Asia/Tokyo")
    assert one(tokyo).item() == one(pd.to_datetime(["2020-01-01"], utc=True).as_unit("s")).item() + 1
    assert one(pd.to_timedelta(["1s"])).item() == 1e6


def test_codes_mean_the_same_in_all_tables():
    frames = {where: pd.DataFrame({"x": list(values)}) for where, values in [("real", "ab"), ("synthetic", "ca")]}
    (real, synthetic), _ = read_tables(frames)
    assert real.columns["x"][0] == synthetic.columns["x"][1]
    assert len({*real.columns["x"], *synthetic.columns["x"]}) == 3


def test_the_user_may_overrule_the_dtype():
    assert one([1, 2, 1], {"categorical": ["x"]}).tolist() == [1, 2, 1]
    assert one(["1", "2", None], {"numerical": ["x"]})[:2].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("identifier", "kept"),
    [
        ([f"id-{i}" for i in range(60)], False),
        (list(range(60)), False),
        ([f"id-{i}" for i in range(59)] + ["id-0"], True),
        ([i / 7 for i in range(60)], True),
        ([None, *range(59)], True),  # whole numbers with gaps are floats to pandas
    ],
)
def test_identifiers_are_left_out_and_said_so_unless_asked_for(identifier, kept):
    frames = {"real": pd.DataFrame({"key": identifier, "x": 1.0})}
    (table,), notes = read_tables(frames)
    assert ("key" in table.columns) == kept
    assert any("'key'" in note for note in notes) != kept
    (table,), notes = read_tables(frames, {"categorical": ["key"]})
    assert "key" in table.columns
    assert not notes


def test_few_rows_may_differ_by_chance():
    (table,), _ = read_tables({"real": pd.DataFrame({"x": range(50)})})
    assert "x" in table.columns


REAL = pd.DataFrame({"n": [1.0, 2.0], "c": ["a", "b"], "b": [True, False], "t": pd.to_datetime(["2020", "2021"])})


@pytest.mark.parametrize(
    ("synthetic", "named"),
    [
        (REAL.drop(columns="n"), "'n'"),
        (REAL.assign(extra=1), "'extra'"),
        (REAL.assign(n=["x", "y"]), "'n'"),
        (REAL.assign(c=[1, 2]), "'c'"),
        (REAL.assign(b=["True", "False"]), "'b'"),
        (REAL.assign(t=["2020", "2021"]), "'t'"),
        (REAL.assign(t=REAL["t"].dt.tz_localize("UTC")), "'t'"),
        (REAL.assign(n=[1.0, np.inf]), "'n'"),
        (REAL.assign(c=[["a"], ["b"]]), "'c'"),
        (pd.concat([REAL, REAL[["c"]]], axis=1), "'c'"),
        (REAL.head(0), "synthetic"),
    ],
)
def test_tables_that_disagree_are_refused_by_name(synthetic, named):
    with pytest.raises(DataError, match=named):
        read_tables({"real": REAL, "synthetic": synthetic})


def test_a_column_that_is_all_missing_agrees_with_anything():
    (real, synthetic), _ = read_tables({"real": REAL, "synthetic": REAL.assign(n=None, c=np.nan, b=None, t=None)})
    assert all(synthetic.columns[name].dtype == real.columns[name].dtype for name in REAL)


@pytest.mark.parametrize(
    ("columns", "error"),
    [
        ({"kategorical": ["n"]}, UsageError),
        ({"ignore": ["nope"]}, DataError),
        ({"numerical": ["c"]}, DataError),
        ({"ignore": list(REAL)}, DataError),
    ],
)
def test_what_cannot_be_said_of_columns(columns, error):
    with pytest.raises(error):
        read_tables({"real": REAL}, columns)


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=1))
def test_joint_codes_are_equal_where_and_only_where_rows_are(rows):
    codes = joint_codes([np.array(column) for column in zip(*rows, strict=True)])
    assert len(set(zip(codes.tolist(), rows, strict=True))) == len(set(rows)) == len(set(codes.tolist()))
