"""Tables to tensors and back: what comes in goes out, with the same names, order and dtypes."""

import datetime as dt
import json
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from synthloom.codecs.columns import COLUMNS, Options
from synthloom.codecs.table import TableCodec
from synthloom.errors import DataError, SynthloomError, UsageError
from synthloom.spec import TableBatch

ROWS = 240
STEP = np.arange(ROWS) % 12  # every value stands in twenty rows, so protection has nothing to keep back
WORDS = ["ant", "bee", "cat", "dog", "elk", "fox", "gnu", "hen", "ibis", "jay", "kite", "lynx"]
MOMENTS = pd.Timestamp("2024-02-27") + pd.to_timedelta(STEP * 37, unit="h")
NUMPY = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"]
MASKED = ["Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float32", "Float64"]


def of_arrow(values, kind):
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.array(list(values), kind)))


def objects(values):
    column = np.empty(len(values), dtype=object)
    column[:] = list(values)
    return pd.Series(column, dtype=object)


def scale(values):
    return pd.Categorical.from_codes(STEP, categories=values, ordered=True)


DTYPES = {
    **{name: pd.Series(STEP * 3 + 1, dtype=name) for name in NUMPY + MASKED},
    "float64 with decimals": pd.Series(STEP / 4 - 1),
    "float32 with decimals": pd.Series(STEP / 10, dtype="float32"),
    "bool": pd.Series(STEP % 2 == 0),
    "boolean": pd.Series(STEP % 3 == 0, dtype="boolean"),
    "str": pd.Series([WORDS[i] for i in STEP]),
    "string[python]": pd.Series([WORDS[i] for i in STEP], dtype="string[python]"),
    "string[pyarrow]": pd.Series([WORDS[i] for i in STEP], dtype="string[pyarrow]"),
    "object text": objects([WORDS[i] for i in STEP]),
    "object numbers as text": objects([f"{i}.50" for i in STEP]),
    "object booleans": objects([bool(i % 2) for i in STEP]),
    "object integers": objects([int(i) for i in STEP]),
    "object mixture": objects([(1, 1.5, True, "1", "one", 2**70)[i % 6] for i in STEP]),
    "category": pd.Series(pd.Categorical([WORDS[i] for i in STEP])),
    "category, ordered, with unused levels": pd.Series(scale([*reversed(WORDS), "unused", "never"])),
    "category of integers": pd.Series(scale(list(range(20, 0, -1)))),
    "category of floats": pd.Series(scale([i / 8 for i in range(12)])),
    "datetime64[ns]": pd.Series(MOMENTS).astype("datetime64[ns]"),
    "datetime64[us]": pd.Series(MOMENTS).astype("datetime64[us]"),
    "datetime64[ms]": pd.Series(MOMENTS).astype("datetime64[ms]"),
    "datetime64[s]": pd.Series(MOMENTS).astype("datetime64[s]"),
    "datetime64[ns, Asia/Tokyo]": pd.Series(MOMENTS).astype("datetime64[ns]").dt.tz_localize("Asia/Tokyo"),
    "datetime64[us, Europe/Paris]": pd.Series(MOMENTS).astype("datetime64[us]").dt.tz_localize("Europe/Paris"),
    "datetime64[s, UTC]": pd.Series(MOMENTS).astype("datetime64[s]").dt.tz_localize("UTC"),
    "datetime objects": objects([dt.datetime(2024, 1, 1) + dt.timedelta(minutes=int(i)) for i in STEP]),
    "Timestamp objects": objects([pd.Timestamp("2024-01-01") + pd.Timedelta(int(i), "min") for i in STEP]),
    "date objects": objects([dt.date(1999, 12, 25) + dt.timedelta(int(i)) for i in STEP]),
    "time objects": objects([dt.time(int(i), 5 * int(i)) for i in STEP]),
    "date text": pd.Series([f"{i + 1:02d}.11.1989" for i in STEP]),
    "timedelta64[ns]": pd.Series(pd.to_timedelta(STEP, unit="min")).astype("timedelta64[ns]"),
    "timedelta64[s]": pd.Series(pd.to_timedelta(STEP, unit="min")).astype("timedelta64[s]"),
    "timedelta objects": objects([dt.timedelta(seconds=int(i)) for i in STEP]),
    "Decimal objects": objects([Decimal(int(i)) / 8 for i in STEP]),
    "arrow string": of_arrow([WORDS[i] for i in STEP], pa.string()),
    "arrow large_string": of_arrow([WORDS[i] for i in STEP], pa.large_string()),
    "arrow int16": of_arrow(STEP, pa.int16()),
    "arrow uint64": of_arrow(STEP, pa.uint64()),
    "arrow double": of_arrow(STEP / 3, pa.float64()),
    "arrow float": of_arrow(STEP / 4, pa.float32()),
    "arrow bool": of_arrow(STEP % 2 == 0, pa.bool_()),
    "arrow decimal": of_arrow([Decimal(int(i)) / 4 for i in STEP], pa.decimal128(7, 2)),
    "arrow date32": of_arrow([dt.date(2020, 1, 1 + i) for i in STEP], pa.date32()),
    "arrow time64": of_arrow([dt.time(i) for i in STEP], pa.time64("us")),
    "arrow timestamp": of_arrow(list(MOMENTS.to_pydatetime()), pa.timestamp("ms")),
    "arrow timestamp with zone": of_arrow(list(MOMENTS.tz_localize("UTC")), pa.timestamp("us", "America/Lima")),
    "arrow duration": of_arrow([dt.timedelta(hours=int(i)) for i in STEP], pa.duration("s")),
}
NEVER_MISSING = {
    name for name, column in DTYPES.items() if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iub"
}


def with_gaps(column):
    column = column.copy()
    column[np.random.default_rng(0).random(len(column)) < 0.2] = None
    return column


def same(left, right):
    pd.testing.assert_frame_equal(left, right, check_exact=True, check_column_type=False)
    assert [list(map(type, left[c])) for c in left if left[c].dtype == object] == [
        list(map(type, right[c])) for c in right if right[c].dtype == object
    ]


@pytest.mark.parametrize("protect", [True, False])
@pytest.mark.parametrize("name", DTYPES)
def test_every_dtype_comes_back_to_the_letter(name, protect):
    df = pd.DataFrame({"x": DTYPES[name]})
    codec = TableCodec(Options(protect=protect)).fit(df)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same(codec.decode(codec.encode(df)), df)
        none = codec.decode(codec.encode(df.iloc[:0]))
    assert none.dtypes.equals(df.dtypes)
    assert len(none) == 0


@pytest.mark.parametrize("protect", [True, False])
@pytest.mark.parametrize("name", [name for name in DTYPES if name not in NEVER_MISSING])
def test_missing_cells_stay_where_they_are(name, protect):
    df = pd.DataFrame({"x": with_gaps(DTYPES[name])})
    codec = TableCodec(Options(protect=protect)).fit(df)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same(codec.decode(codec.encode(df)), df)


@pytest.mark.parametrize("name", [name for name in DTYPES if name not in NEVER_MISSING])
def test_a_column_without_any_cell_stays_so(name):
    column = DTYPES[name].copy()
    column[:] = None
    df = pd.DataFrame({"x": column, "y": STEP})
    codec = TableCodec().fit(df)
    assert len(codec.spec.blocks) == 1
    same(codec.decode(codec.encode(df)), df)


@pytest.mark.parametrize("numbers", ["quantile", "gmm"])
@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("name", DTYPES)
def test_any_code_decodes_to_something_of_the_right_dtype(name, gaps, numbers):
    column = DTYPES[name]
    df = pd.DataFrame({"x": with_gaps(column) if gaps and name not in NEVER_MISSING else column})
    codec = TableCodec(Options(numbers=numbers)).fit(df)
    drawn = codec.decode(draw(codec, 500))
    assert drawn.dtypes.equals(df.dtypes)
    assert drawn["x"].isna().any() == (gaps and name not in NEVER_MISSING)


def draw(codec, rows, seed=0):
    """Codes as an untrained network would draw them."""
    torch.manual_seed(seed)
    blocks = codec.spec.blocks
    choice = (
        torch.stack([torch.randint(b.choices, (rows,)) for b in blocks], 1) if blocks else torch.zeros(rows, 0).long()
    )
    value = 3 * torch.randn(choice.shape)
    value = value * (choice < torch.tensor([b.numbered for b in blocks]))
    return TableBatch(choice, value, torch.ones_like(choice, dtype=torch.bool))


def test_names_order_and_axes_come_back():
    names = ["b", "a", 3, 2.5, None, True, "a.b#c", "line\nbreak", "🦊", "", "Ω≈ç"]
    df = pd.DataFrame([[i % 7] * len(names) for i in range(70)], columns=pd.Index(names, name="measure"))
    df.index = pd.Index(range(100, 170), name="person")
    codec = TableCodec().fit(df)
    document, arrays = codec.state()
    out = TableCodec.load(json.loads(json.dumps(document)), arrays).decode(codec.encode(df))
    assert [*map(type, out.columns)] == [*map(type, df.columns)]
    assert list(out.columns) == names
    assert (out.columns.name, out.index.name) == ("measure", "person")
    assert (out.to_numpy() == df.to_numpy()).all()


def test_names_of_numpy_are_plain():
    df = pd.DataFrame(np.arange(60).reshape(20, 3) % 4, columns=np.arange(3))
    codec = TableCodec().fit(df)
    assert codec.schema_.names == [0, 1, 2]
    same(codec.decode(codec.encode(df)), df)


@pytest.mark.parametrize(
    ("columns", "word"),
    [
        (["a", "a"], "twice"),
        ([1, True], "twice"),
        ([("a", 1), "b"], "names must be text or numbers"),
        ([pd.Timestamp("2024-01-01"), "b"], "names must be text or numbers"),
        ([float("nan"), "b"], "names must be text or numbers"),
        (pd.MultiIndex.from_tuples([("a", 1), ("a", 2)]), "MultiIndex"),
    ],
)
def test_impossible_names_are_refused(columns, word):
    df = pd.DataFrame(np.zeros((20, 2)))
    df.columns = columns if isinstance(columns, pd.MultiIndex) else pd.Index(columns, dtype=object, tupleize_cols=False)
    with pytest.raises(DataError, match=word):
        TableCodec().fit(df)


@pytest.mark.parametrize(
    ("column", "word"),
    [
        (objects([[1, 2]] * 20), "nested"),
        (objects([{"a": 1}] * 20), "nested"),
        (objects([(1, 2)] * 20), "nested"),
        (objects([{1}] * 20), "nested"),
        (objects([np.zeros(2)] * 20), "nested"),
        (objects([*"abcdefghijklmnopqrs", [1]]), "nested"),
        (objects([b"x"] * 20), "bytes"),
        (objects([1j] * 20), "complex"),
        (pd.Series([1j] * 20), "complex"),
        (pd.Series(pd.arrays.SparseArray([0, 1] * 10)), "Sparse"),
        (pd.Series(pd.period_range("2024-01", periods=20, freq="M")), "period"),
        (pd.cut(pd.Series(range(20)), 3), "category of other things"),
        (pd.Series(pd.IntervalIndex.from_breaks(range(21))), "interval"),
        (of_arrow([[1]] * 20, pa.list_(pa.int8())), "nested"),
        (of_arrow([{"a": 1}] * 20, pa.struct([("a", pa.int8())])), "nested"),
        (of_arrow([b"x"] * 20, pa.binary()), "bytes"),
        (of_arrow(["x"] * 20, pa.dictionary(pa.int32(), pa.string())), "dictionary"),
        (objects([object()] * 20), "one known kind"),
        (objects([pd.Timestamp("2024-01-01", tz="UTC")] * 20), "one known kind"),
    ],
)
def test_what_cannot_come_back_is_refused_by_name(column, word):
    with pytest.raises(DataError, match=word) as caught:
        TableCodec().fit(pd.DataFrame({"fine": range(20), "the culprit": column}))
    assert "'the culprit'" in str(caught.value)


@pytest.mark.parametrize(
    ("df", "protect", "word"),
    [
        (pd.DataFrame({"x": []}), False, "at least 2 rows"),
        (pd.DataFrame({"x": [1]}), False, "at least 2 rows"),
        (pd.DataFrame({"x": range(9)}), True, "protect=False"),
        (pd.DataFrame(index=range(20)), True, "at least one column"),
    ],
)
def test_too_little_is_refused(df, protect, word):
    with pytest.raises(DataError, match=word):
        TableCodec(Options(protect=protect)).fit(df)


def test_hundreds_of_columns_and_long_text_are_fine():
    df = pd.DataFrame(np.arange(60)[:, None] % (2 + np.arange(400) % 50)).add_prefix("c")
    df["long"] = ["x" * 20_000, "y" * 20_000] * 30
    codec = TableCodec(Options(protect=False)).fit(df)
    same(codec.decode(codec.encode(df)), df)


def test_missing_shares_are_exact_and_what_misses_together_stays_together():
    stream = np.random.default_rng(0)
    df = pd.DataFrame(
        {
            "visit": stream.normal(size=2_000),
            "pulse": stream.integers(40, 160, 2_000).astype(float),
            "mood": stream.choice(["up", "down"], 2_000),
            "alone": stream.normal(size=2_000),
        }
    )
    away = stream.random(2_000) < 0.3
    df.loc[away, ["visit", "pulse", "mood"]] = None
    df.loc[stream.random(2_000) < 0.1, "alone"] = None
    codec = TableCodec().fit(df)
    assert codec.decode(codec.encode(df)).isna().equals(df.isna())
    drawn = codec.decode(draw(codec, 1_000)).isna()
    assert drawn["visit"].equals(drawn["pulse"])
    assert drawn["visit"].equals(drawn["mood"])
    assert not drawn["visit"].equals(drawn["alone"])


def test_holes_of_objects_are_of_the_kind_that_was_there():
    for hole in (None, np.nan, pd.NaT, pd.NA):
        df = pd.DataFrame({"x": objects([True, hole, False, True] * 10)})
        codec = TableCodec().fit(df)
        assert codec.decode(codec.encode(df))["x"].iloc[1] is hole or (
            hole is np.nan and df["x"].iloc[1] != df["x"].iloc[1]
        )


def test_a_nan_that_is_a_value_and_not_a_gap_comes_back():
    df = pd.DataFrame({"x": of_arrow([0.0, float("nan"), 1.0, float("inf")] * 20, pa.float64())})
    codec = TableCodec().fit(df)
    out = codec.decode(codec.encode(df))["x"].to_numpy(float)
    assert np.array_equal(out, df["x"].to_numpy(float), equal_nan=True)


@pytest.mark.parametrize("numbers", ["quantile", "gmm"])
def test_the_state_is_plain_and_remembers_everything(numbers):
    df = pd.DataFrame({name: with_gaps(c) if name not in NEVER_MISSING else c for name, c in DTYPES.items()})
    df["id"] = [f"P-{i:05d}" for i in range(ROWS)]
    df["number"] = np.random.default_rng(0).lognormal(size=ROWS)
    if numbers == "gmm":
        df = df[["int64", "datetime64[us]", "number"]]
    codec = TableCodec(Options(numbers=numbers)).fit(df)
    document, arrays = codec.state()
    again = TableCodec.load(json.loads(json.dumps(document, allow_nan=False)), arrays)
    assert again.spec == codec.spec
    assert again.notices == codec.notices
    assert again.schema_ == codec.schema_
    drawn = draw(codec, 300)
    same(again.decode(drawn, start=7, seed=3), codec.decode(drawn, start=7, seed=3))
    ours, theirs = codec.encode(df), again.encode(df)
    assert all(torch.equal(getattr(ours, part), getattr(theirs, part)) for part in vars(ours))
    assert all(array.dtype in (np.float64, np.int64) for array in arrays.values())


def test_fitting_twice_is_the_same_and_the_order_of_rows_is_not_remembered():
    df = pd.DataFrame({"n": np.random.default_rng(0).normal(size=500), "c": STEP.tolist() * 2 + [0] * 20})
    first, second = TableCodec(seed=4).fit(df), TableCodec(seed=4).fit(df.sample(frac=1, random_state=0))
    assert json.dumps(first.state()[0]) == json.dumps(second.state()[0])
    for name, array in first.state()[1].items():
        assert np.allclose(array, second.state()[1][name], rtol=1e-12)


def test_shards_in_any_order_make_the_same_rows():
    df = pd.DataFrame({"id": [f"{i % 150:04d}-x" for i in range(200)], "n": np.arange(200) % 40, "k": 5})
    codec = TableCodec().fit(df)
    assert [f.type for f in codec.schema_.fields] == ["identifier", "number", "constant"]
    drawn = draw(codec, 100)
    whole = codec.decode(drawn, seed=9)
    for start in (60, 0, 25):
        part = codec.decode(drawn.take(torch.arange(start, start + 25)), start=start, seed=9)
        same(part, whole.iloc[start : start + 25].reset_index(drop=True))


@pytest.mark.parametrize("numbers", ["quantile", "gmm"])
def test_to_look_at_a_row_becomes_what_it_becomes_alone(numbers):
    stream = np.random.default_rng(0)
    df = pd.DataFrame({"n": stream.integers(0, 900, 300), "x": stream.normal(size=300).round(1), "c": [*"abc"] * 100})
    codec = TableCodec(Options(numbers=numbers, protect=False)).fit(df)
    whole = codec.encode(df, spread=False)
    order = torch.tensor([7, 250, 7, 3])
    few = codec.encode(df.iloc[order.tolist()], spread=False)
    assert all(torch.equal(getattr(few, part), getattr(whole.take(order), part)) for part in vars(few))
    same(codec.decode(whole), df)
    assert not torch.equal(codec.encode(df).value_BC, whole.value_BC)


def fitted():
    df = pd.DataFrame({"age": np.arange(180) % 30, "sex": ["f", "m", "x"] * 60, "when": MOMENTS[:180]})
    return TableCodec().fit(df), df


def test_columns_may_come_in_another_order():
    codec, df = fitted()
    ours, theirs = codec.encode(df), codec.encode(df[["when", "sex", "age"]])
    assert torch.equal(ours.choice_BC, theirs.choice_BC)


def test_wrong_columns_are_named():
    codec, df = fitted()
    with pytest.raises(DataError, match="'height'"):
        codec.encode(df.assign(height=1))
    with pytest.raises(DataError, match="'sex' is missing"):
        codec.encode(df.drop(columns="sex"))
    with pytest.raises(DataError, match="twice"):
        codec.encode(pd.concat([df, df["age"]], axis=1))


def test_partial_frames_say_only_what_they_hold():
    codec, df = fitted()
    batch = codec.encode(df[["sex"]].where(df["age"] > 3), partial=True)
    assert batch.known_BC.tolist() == [[False, age > 3, False] for age in df["age"]]


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"sex": ["q"]}, "known are 'f', 'm', 'x'"),
        ({"age": [1_000]}, "between 0 and 29"),
        ({"age": ["old"]}, "'age'"),
        ({"age": pd.Series(["old"], dtype="string")}, "'age'"),
        ({"when": [pd.Timestamp("1900-01-01")]}, "between 2024-02-27"),
        ({"when": ["yesterday-ish"]}, "'when'"),
        ({"when": [3.5j]}, "'when'"),
        ({"when": pd.Series(["9999-01-01"]).astype("datetime64[s]")}, "'when'"),
    ],
)
def test_what_was_never_learnt_is_refused_when_it_matters(given, word):
    codec, _ = fitted()
    with pytest.raises(DataError, match=word):
        codec.encode(pd.DataFrame(given), strict=True, partial=True)


def test_what_was_never_learnt_is_unknown_otherwise():
    codec, df = fitted()
    assert not codec.encode(df.assign(sex="q")).known_BC[:, 1].any()
    assert codec.decode(codec.encode(df.assign(age=1_000)))["age"].unique().tolist() == [29]


def test_a_constant_is_held_to():
    codec = TableCodec().fit(pd.DataFrame({"k": ["same"] * 20, "x": STEP[:20]}))
    codec.encode(pd.DataFrame({"k": ["same"]}), strict=True, partial=True)
    with pytest.raises(DataError, match="'same'"):
        codec.encode(pd.DataFrame({"k": ["other"]}), strict=True, partial=True)


def test_values_are_known_in_whatever_form_they_come():
    df = pd.DataFrame(
        {
            "n": STEP,
            "grade": pd.Series(STEP % 3),
            "flag": STEP % 2 == 0,
            "day": [dt.date(2024, 1, 1 + i) for i in STEP],
            "when": MOMENTS,
            "code": [str(i % 4) for i in STEP],
        }
    )
    codec = TableCodec(schema={"grade": "category"}).fit(df)
    plain = codec.encode(df)
    for other in (
        df.astype({"n": float, "grade": float, "flag": object, "code": int}),
        df.astype({"n": str, "grade": str, "flag": str, "day": str, "when": str}),
        df.astype({"day": "datetime64[s]", "when": "datetime64[ns]", "flag": int}),
    ):
        batch = codec.encode(other, strict=True)
        same(codec.decode(batch), df)
        assert torch.equal(batch.choice_BC, plain.choice_BC)


def test_types_can_be_said():
    df = pd.DataFrame({"zip": STEP, "score": STEP / 3, "note": ["a b"] * ROWS, "ref": np.arange(ROWS) * 7})
    schema = {"categorical": ["zip"], "score": {"decimals": 1}, "note": "text", "ref": {"type": "id", "unique": False}}
    codec = TableCodec(schema=schema).fit(df)
    assert [f.type for f in codec.schema_.fields] == ["category", "number", "text", "identifier"]
    assert codec.decode(codec.encode(df))["score"].tolist() == [round(i / 3, 1) for i in STEP]
    same(TableCodec(schema=codec.schema_).fit(df).decode(codec.encode(df)), codec.decode(codec.encode(df)))


@pytest.mark.parametrize(
    ("schema", "word"),
    [
        ({"x": "boolean"}, "of type boolean, as was said"),
        ({"x": "datetime"}, "of type datetime, as was said"),
        ({"x": {"decimal": 2}}, "one cannot say decimal=2"),
        ({"x": {"form": "text"}}, "one cannot say form='text'"),
        ({"x": {"decimals": -1}}, "decimals of column 'x'"),
    ],
)
def test_what_cannot_be_said_is_refused(schema, word):
    with pytest.raises(SynthloomError, match=word):
        TableCodec(schema=schema).fit(pd.DataFrame({"x": STEP}))


def test_options_are_checked():
    with pytest.raises(UsageError, match="numbers"):
        Options(numbers="histogram")
    with pytest.raises(UsageError, match="cells"):
        Options(cells=0)


def test_every_column_type_is_in_the_table_under_its_own_name():
    assert all(name == column.type for name, column in COLUMNS.items())
