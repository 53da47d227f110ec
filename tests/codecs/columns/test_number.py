"""Numbers of every width and form."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthloom.codecs.columns import Options
from synthloom.codecs.columns.ticks import distance, restore
from synthloom.codecs.table import TableCodec
from synthloom.errors import DataError
from synthloom.spec import TableBatch


def codec_of(column, protect=False, **said):
    return TableCodec(Options(protect=protect), schema={"x": {"type": "number", **said}}).fit(
        pd.DataFrame({"x": column})
    )


def back(column, protect=False, **said):
    codec = codec_of(column, protect, **said)
    return codec.decode(codec.encode(pd.DataFrame({"x": column})))["x"]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(np.arange(2**53 - 50, 2**53 + 50)),
        pd.Series(np.arange(-(2**63), -(2**63) + 100)),
        pd.Series(np.arange(2**63 - 100, 2**63, dtype=np.uint64).astype("int64")),
        pd.Series(np.arange(2**64 - 100, 2**64 - 1, dtype=np.uint64)),
        pd.Series([*range(2**60, 2**60 + 40), None], dtype="Int64"),
        pd.Series([2**63 + i for i in range(30)], dtype=object),
        pd.Series([-128, 127] * 20, dtype="int8"),
        pd.Series([0, 255] * 20, dtype="uint8"),
    ],
)
def test_wide_integers_keep_their_last_digit(column):
    pd.testing.assert_series_equal(back(column), column, check_names=False)


@pytest.mark.parametrize("protect", [True, False])
@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_the_widest_integers_of_all_stay_inside_their_dtype(dtype, protect):
    bounds = np.iinfo(dtype)
    column = pd.Series(np.random.default_rng(0).integers(bounds.min, bounds.max, 500, dtype, endpoint=True))
    column = pd.concat([column, pd.Series([bounds.min, bounds.max], dtype=dtype)], ignore_index=True)
    codec = codec_of(column, protect)
    out = back(column, protect)
    assert np.abs(out.astype(float) - column.astype(float)).median() < 1e13  # of 1e19: positions are float32
    choice = torch.arange(codec.spec.blocks[0].choices).repeat_interleave(2)[:, None]
    value = torch.tensor([-9.0, 9.0]).repeat(len(choice) // 2)[:, None]
    drawn = codec.decode(TableBatch(choice, value, torch.ones_like(choice, dtype=torch.bool)))["x"]
    assert drawn.min() >= column.min()
    assert drawn.max() <= column.max()
    if not protect:
        assert int(drawn.min()) - int(bounds.min) <= 1024
        assert int(bounds.max) - int(drawn.max()) <= 1024


@given(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1),
    st.integers(-(2**40), 2**40),
    st.integers(-(2**63), 2**63 - 1),
)
def test_distance_and_restore_undo_each_other(offsets, near, origin):
    whole = np.array([origin, min(2**63 - 1, max(-(2**63), origin + near))], np.int64)
    assert restore(distance(whole, origin), origin, np.int64).tolist() == whole.tolist()
    far = np.array(offsets, np.int64)
    rough = distance(far, origin)
    assert np.allclose(rough, [float(o - origin) for o in offsets], rtol=1e-9)


@pytest.mark.parametrize("decimals", range(7))
def test_decimals_come_back_exactly_and_no_others_appear(decimals):
    x = np.round(np.random.default_rng(decimals).normal(50, 20, 800), decimals)
    column = pd.Series(x)
    codec = codec_of(column)
    assert codec.schema_["x"].facts["decimals"] == decimals
    # in the outer cells two million places of the sixth decimal are more than float32 tells apart
    assert np.abs(back(column) - x).max() <= (0 if decimals < 6 else 1e-5)
    drawn = codec.decode(codes(codec, 500))["x"]
    assert drawn.tolist() == np.round(drawn, decimals).tolist()


def codes(codec, rows):
    torch.manual_seed(0)
    (block,) = codec.spec.blocks
    choice = torch.randint(block.choices, (rows, 1))
    return TableBatch(choice, torch.randn(rows, 1) * (choice < block.numbered), torch.ones(rows, 1, dtype=torch.bool))


def test_true_floats_come_back_nearly():
    x = np.random.default_rng(0).lognormal(0, 3, 2_000)
    assert np.allclose(back(pd.Series(x)), x, rtol=1e-3)
    assert np.median(np.abs(back(pd.Series(x)) / x - 1)) < 1e-5


@pytest.mark.parametrize(
    "x",
    [
        [1e300, -1e300, 5e299],
        [1.7976931348623157e308, -1.7976931348623157e308],
        [5e-324, 1e-323, 0.0],
        [1e-320, 1e300, 1.0],
    ],
)
@pytest.mark.parametrize("protect", [True, False])
def test_the_largest_and_the_smallest_floats_are_fine(x, protect):
    column = pd.Series(np.array(x)[np.arange(60) % len(x)])
    out = back(column, protect)
    assert np.allclose(out, column, rtol=1e-6, atol=1e-290 * max(x))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "Float32", "Float64"])
def test_infinities_come_back(dtype):
    column = pd.Series(np.random.default_rng(0).choice([np.inf, -np.inf, 0.5, 1.25, -3], 200)).astype(dtype)
    pd.testing.assert_series_equal(back(column, protect=True), column, check_names=False)
    lonely = pd.Series(np.repeat([np.inf, -np.inf], 20)).astype(dtype)
    pd.testing.assert_series_equal(back(lonely, protect=True), lonely, check_names=False)


def test_decimal_objects_keep_their_scale():
    column = pd.Series([Decimal(i) / 100 for i in range(900, 1_300)], dtype=object)
    out = back(column)
    assert out.tolist() == column.tolist()
    assert {cell.as_tuple().exponent for cell in out} == {-2}
    wide = pd.Series(
        [Decimal("12345678901234567890.123"), Decimal("0.001"), Decimal("Infinity"), Decimal("1E+5")] * 9, dtype=object
    )
    assert [f"{a:.6e}" for a in back(wide)] == [f"{a:.6e}" for a in wide]


@pytest.mark.parametrize(("form", "style"), [("{:.2f}", "fixed"), ("{:g}", "trimmed")])
def test_written_numbers_are_written_again(form, style):
    text = [form.format(i / 4) for i in range(400)]
    column = pd.Series([*text, *[" "] * 20])
    codec = TableCodec(Options(protect=False)).fit(pd.DataFrame({"x": column}))
    assert codec.schema_["x"].type == "number"
    assert codec.schema_["x"].facts["form"] == style
    assert codec.decode(codec.encode(pd.DataFrame({"x": column})))["x"].tolist() == column.tolist()
    assert " " in set(codec.decode(codes(codec, 500))["x"])


@pytest.mark.parametrize(
    "cells", [["0123", "0456"], ["12", "345"], ["1.5", "x"], ["1.50", "2.5"], ["1e5", "2.5"], ["+1.5", "2.5"]]
)
def test_codes_are_not_taken_for_written_numbers(cells):
    df = pd.DataFrame({"x": cells * 30})
    codec = TableCodec().fit(df)
    assert codec.schema_["x"].type == "category"


def test_integers_beside_gaps_and_fractions_are_understood():
    codec = codec_of(pd.Series(range(10, 50)))
    given = pd.DataFrame({"x": [12.0, None, 12.4, 1e300, -np.inf]})
    batch = codec.encode(given, partial=True)
    assert batch.known_BC[:, 0].tolist() == [True, False, True, True, False]
    assert codec.decode(batch)["x"].iloc[[0, 2, 3]].tolist() == [12, 12, 49]
    with pytest.raises(DataError, match="one that the model knows, however: -inf"):
        codec.encode(given.iloc[[4]], partial=True, strict=True)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-(10**12), 10**12), min_size=2, max_size=40))
def test_integers_come_back(values):
    column = pd.Series(values, dtype="int64")
    out = back(column)
    wide = max(values) - min(values)
    assert (out - column).abs().max() <= wide * 1e-7


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(allow_nan=False, width=32), min_size=2, max_size=40))
def test_floats_come_back_nearly(values):
    column = pd.Series(values)
    out = back(column)
    finite = np.isfinite(column)
    assert (out[~finite] == column[~finite]).all()
    if finite.any():
        assert np.allclose(out[finite], column[finite], rtol=1e-3, atol=1e-6 * (np.ptp(column[finite] / 2) or 0))
