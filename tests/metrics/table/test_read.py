import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from synthloom.errors import DataError, UsageError
from synthloom.metrics.table.read import read_tables


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
        ["2020-01-01", None, "2020-01-02"],
        ["31/12/2020 23:59", None, "01/01/2021 00:00"],
        [datetime.date(2020, 1, 1), None, datetime.date(9999, 1, 2)],
        [datetime.time(1, 2), None, datetime.time(3, 4)],
        [Decimal("1.5"), None, Decimal("2.5")],
        [None, *(f"{i / 4:.2f}" for i in range(40)), "?"][:41],
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
        ["007", None, "008"],
        [1, None, "one"],
    ],
)
def test_everything_else_is_a_category_and_missing_is_zero(column):
    assert one(column).tolist() == [1, 0, 2]


def test_times_count_microseconds_whatever_their_unit_and_zone():
    tokyo = pd.to_datetime(["2020-01-01 09:00:00.000001"]).tz_localize("Asia/Tokyo")
    assert one(tokyo).item() == one(pd.to_datetime(["2020-01-01"], utc=True).as_unit("s")).item() + 1
    assert one(pd.to_timedelta(["1s"])).item() == 1e6
    assert one([datetime.date(1970, 1, 2)]).item() == one(["1970-01-02", "1970-01-03"])[0] == 86_400e6
    assert one([datetime.time(0, 0, 1)]).item() == 1e6


def test_text_is_read_in_the_form_of_the_real_column_and_what_is_not_in_it_is_missing_and_said_so():
    frames = {"real": ["2020-01-01", "2020-01-02"], "synthetic": ["2020-01-02", "no day"]}
    (real, synthetic), notes = read_tables({where: pd.DataFrame({"day": day}) for where, day in frames.items()})
    assert synthetic.columns["day"][0] == real.columns["day"][1]
    assert np.isnan(synthetic.columns["day"][1])
    assert any("'day'" in note and "1 cells" in note for note in notes)


def test_a_column_knows_what_it_is_and_what_its_codes_stand_for():
    frame = pd.DataFrame({"day": ["2020-01-01", "2020-01-02"], "k": ["b", None], "n": [1, 2], "s": [True, False]})
    (table,), _ = read_tables({"real": frame})
    assert {name: facts.type for name, facts in table.facts.items()} == {
        "day": "datetime",
        "k": "category",
        "n": "number",
        "s": "category",
    }
    assert table.facts["k"].labels == ("b",)
    assert table.take(slice(1)).facts is table.facts


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
        ([f"id-{i}" for i in range(59)] + ["id-0"], False),
        ([f"{i} is the number of this patient, who said many words" for i in range(60)], False),
        ([i / 7 for i in range(60)], True),
        (["a", "b", "c"] * 20, True),
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


def test_whole_numbers_that_all_differ_are_numbers_unless_they_count_or_are_called_a_key():
    squares = [3 * i * i for i in range(60)]
    (table,), _ = read_tables({"real": pd.DataFrame({"area": squares, "area_id": squares, "n": range(60)})})
    assert list(table.columns) == ["area"]


def test_few_rows_may_differ_by_chance():
    (table,), _ = read_tables({"real": pd.DataFrame({"x": list("abcdefghijklmnop")})})
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
