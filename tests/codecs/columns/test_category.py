"""Categories: kept apart by value and kind, in order of frequency, however many there are."""

import time

import numpy as np
import pandas as pd
import pytest

from synthloom.codecs.columns import Options
from synthloom.codecs.table import TableCodec
from synthloom.errors import DataError


def test_values_that_are_equal_but_not_the_same_stay_apart():
    cells = [1, 1.0, True, "1", 0, 0.0, False, "0", "True", 2**70, float("inf")] * 8
    df = pd.DataFrame({"x": pd.Series(cells, dtype=object)})
    codec = TableCodec().fit(df)
    assert codec.schema_["x"].type == "category"
    out = codec.decode(codec.encode(df))["x"].tolist()
    assert list(zip(map(type, out), out, strict=True)) == list(zip(map(type, cells), cells, strict=True))


def test_equal_values_of_different_kinds_are_no_constant():
    df = pd.DataFrame({"x": pd.Series([1, True] * 20, dtype=object)})
    codec = TableCodec().fit(df)
    assert [type(cell) for cell in codec.decode(codec.encode(df))["x"]] == [int, bool] * 20


def test_the_commonest_comes_first():
    df = pd.DataFrame({"x": ["b"] * 30 + ["a"] * 20 + ["c"] * 30})
    codec = TableCodec().fit(df)
    assert codec.columns_[0].values == ["b", "c", "a"]


def test_rare_text_stands_together_and_says_so():
    df = pd.DataFrame({"x": ["a", "b"] * 40 + ["c", "d", "d"]})
    codec = TableCodec().fit(df)
    out = codec.decode(codec.encode(df))["x"]
    assert out.tolist() == ["a", "b"] * 40 + ["<other>"] * 3
    assert codec.notices == {"x": "2 rare values (3 rows) stand together as '<other>'"}


def test_rare_values_that_no_mark_can_stand_for_are_unknown():
    df = pd.DataFrame({"x": [1, 2] * 40 + [3]})
    codec = TableCodec(schema={"x": "category"}).fit(df)
    assert codec.encode(df).known_BC[:, 0].tolist() == [True] * 80 + [False]
    assert codec.spec.blocks[0].choices == 2


def test_integers_of_which_none_may_be_given_out_are_refused():
    with pytest.raises(DataError, match="held by at least 5 rows"):
        TableCodec(schema={"x": "category"}).fit(pd.DataFrame({"x": range(40)}))
    codec = TableCodec(schema={"x": "category"}).fit(pd.DataFrame({"x": pd.Series(range(40), dtype="Int64"), "y": 1}))
    assert codec.decode(codec.encode(pd.DataFrame({"x": pd.Series([1], dtype="Int64"), "y": 1})))["x"].isna().all()


@pytest.mark.parametrize(("dtype", "protect"), [("str", False), ("category", True)])
def test_three_hundred_thousand_categories_take_seconds_and_little_memory(dtype, protect):
    values = np.arange(300_000).repeat(5 if protect else 1)
    df = pd.DataFrame({"x": pd.Series([f"v{i}" for i in values], dtype=dtype)})
    begin = time.process_time()
    codec = TableCodec(Options(protect=protect), schema={"x": "category"}).fit(df)
    batch = codec.encode(df)
    assert time.process_time() - begin < (15 if protect else 5)
    assert codec.spec.blocks[0].choices == 300_000
    assert batch.choice_BC.shape == (len(df), 1)
    assert codec.decode(batch)["x"].equals(df["x"])
