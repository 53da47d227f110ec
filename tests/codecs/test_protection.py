"""What few rows hold is not in the output, nor in the model as a value, a level, a knot, an origin or a stretch."""

import datetime as dt
import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import torch

from synthloom.codecs.columns import RARE, Options
from synthloom.codecs.table import TableCodec
from synthloom.spec import TableBatch

SECRET = 123_457.89


def numbers_told(codec):
    """Every number that the state of the first column holds, in the column's own units."""
    column = codec.columns_[0]
    parts = [getattr(column.scale, part) for part in ("knot_x", "atoms", "mean") if hasattr(column.scale, part)]
    return column._leave(np.concatenate([*parts, [column.scale.low, column.scale.high]]))


def everything(codec, rows=2_000):
    """The state as text, and values drawn with every kind of code, the extremes among them."""
    document, arrays = codec.state()
    said = json.dumps(document) + " ".join(repr(float(x)) for array in arrays.values() for x in array.ravel())
    return said, codec.decode(draw(codec, rows))


def draw(codec, rows):
    torch.manual_seed(0)
    blocks = codec.spec.blocks
    choice = (
        torch.stack([torch.randint(b.choices, (rows,)) for b in blocks], 1) if blocks else torch.zeros(rows, 0).long()
    )
    far = torch.tensor([-40.0, 40.0])[torch.randint(2, choice.shape)]
    value = torch.where(torch.rand(choice.shape) < 0.3, far, 2 * torch.randn(choice.shape))
    value = value * (choice < torch.tensor([b.numbered for b in blocks]))
    return TableBatch(choice, value, torch.ones_like(choice, dtype=torch.bool))


@pytest.mark.parametrize("kind", ["category", None])
@pytest.mark.parametrize("protect", [True, False])
def test_a_thousand_unique_names(kind, protect):
    names = [f"Quentin {word}" for word in np.random.default_rng(0).permutation(10**6)[:1_000].astype(str)]
    codec = TableCodec(Options(protect=protect), schema={"name": kind} if kind else None).fit(
        pd.DataFrame({"name": names})
    )
    said, out = everything(codec)
    if kind is None:  # taken for an identifier, and made anew in any case
        assert not set(out["name"]) & set(names)
    elif protect:
        assert set(out["name"]) == {"<other>"}
    else:
        assert set(out["name"]) <= set(names)
        return
    assert not any(name in said for name in names)


@pytest.mark.parametrize("held", [1, RARE - 1])
def test_rare_levels_leave_a_category_dtype(held):
    rare = [f"secret-{i:05d}" for i in range(20_000)]
    values = ["common"] * 50 + rare * held
    for ordered in (False, True):
        df = pd.DataFrame(
            {"x": pd.Categorical(values, categories=[*rare[::-1], "common", "filtered out"], ordered=ordered)}
        )
        codec = TableCodec().fit(df)
        said, out = everything(codec)
        assert "secret" not in said
        assert "filtered" not in said
        assert list(out["x"].dtype.categories) == ["common"]
        assert out["x"].dtype.ordered == ordered
        assert codec.notices["x"] == f"20000 rare values ({20_000 * held} rows) are left out"


def test_levels_that_no_row_holds_stay_where_nothing_is_hidden():
    levels = ["never", "some", "often", "always"]
    df = pd.DataFrame({"x": pd.Categorical(["some", "often"] * 20, categories=levels, ordered=True)})
    codec = TableCodec().fit(df)
    assert codec.decode(codec.encode(df))["x"].dtype == df["x"].dtype


@pytest.mark.parametrize("held", [RARE - 1, RARE])
def test_five_rows_make_a_value_public(held):
    df = pd.DataFrame({"x": ["a", "b"] * 50 + ["zebra"] * held})
    assert ("zebra" in everything(TableCodec().fit(df))[0]) == (held >= RARE)


PEOPLE = np.random.default_rng(1).lognormal(10.5, 0.7, 3_000).round(2)
FORMS = {
    "float": lambda x: pd.Series(x),
    "integer cents": lambda x: pd.Series(np.rint(x * 100)).astype("int64"),
    "far integers": lambda x: pd.Series(np.rint(x * 100).astype("int64") + 2**60),
    "unsigned": lambda x: pd.Series(np.rint(x * 100)).astype("uint64"),
    "true float": lambda x: pd.Series(x * np.pi),
    "large float": lambda x: pd.Series(x * 1e290),
    "text": lambda x: pd.Series([f"{v:.2f}" for v in x]),
    "Decimal": lambda x: pd.Series([Decimal(f"{v:.2f}") for v in x], dtype=object),
    "moment": lambda x: pd.Series(pd.Timestamp("2000-01-01") + pd.to_timedelta(np.rint(x * 100), unit="s")),
    "day": lambda x: pd.Series([dt.date(1900, 1, 1) + dt.timedelta(int(v) // 7) for v in x], dtype=object),
    "date text": lambda x: pd.Series(
        (pd.Timestamp("1900-01-01") + pd.to_timedelta(np.minimum(x // 7, 90_000), unit="D")).strftime("%d.%m.%Y")
    ),
    "span": lambda x: pd.Series(pd.to_timedelta(np.rint(x * 100), unit="s")),
}
CASES = [*((form, "quantile") for form in FORMS), *((form, "gmm") for form in ("float", "integer cents", "moment"))]


@pytest.mark.parametrize(("form", "numbers"), CASES)
@pytest.mark.parametrize("place", ["inside", "lowest", "highest"])
def test_a_unique_number_is_in_no_part_of_the_state(form, place, numbers):
    x = PEOPLE.copy()
    secret = {"inside": SECRET, "lowest": 1_357.93, "highest": 9_876_543.21}[place]
    x[x == secret] += 7
    column = FORMS[form](np.append(x, secret))
    if place == "inside" and form in ("day", "date text"):  # a day that is shared is no secret
        column = column[(column != column.iloc[-1]) | (np.arange(len(column)) == len(column) - 1)].reset_index(
            drop=True
        )
    codec = TableCodec(Options(numbers=numbers), schema=None).fit(pd.DataFrame({"x": column}))
    assert codec.schema_["x"].type in ("number", "datetime", "duration")
    said, out = everything(codec)
    assert str(column.iloc[-1]) not in said
    told = pd.Series(numbers_told(codec)).astype(column.dtype)
    counts = column.value_counts()
    lonely = counts[counts < RARE].index
    if form == "day" or form == "date text":  # so few days that means of five fall on one or the other
        assert not told.isin([column.iloc[-1]]).any()
    else:
        assert not told.isin(lonely).any()
    if place != "inside":
        assert not out["x"].isin([column.iloc[-1]]).any()


@pytest.mark.parametrize("rows", [10, 12, 14, 15, 16, 30, 100, 1_000, 12_000, 40_000])
def test_no_number_of_one_row_is_remembered_however_many_rows_there_are(rows):
    stream = np.random.default_rng(rows)
    for x in (stream.normal(size=rows), np.append(stream.normal(size=rows - rows // 3), np.repeat(0.5, rows // 3))):
        df = pd.DataFrame({"x": x})
        told = pd.Series(numbers_told(TableCodec().fit(df)))
        assert not told.isin(x[x != 0.5]).any()


@pytest.mark.parametrize(("form", "numbers"), CASES)
def test_nothing_lies_beyond_the_fifth_from_either_end(form, numbers):
    column = FORMS[form](PEOPLE)
    codec = TableCodec(Options(numbers=numbers)).fit(pd.DataFrame({"x": column}))
    out = codec.decode(draw(codec, 3_000))["x"]
    if form in ("text", "date text"):
        read = float if form == "text" else lambda t: dt.datetime.strptime(t, "%d.%m.%Y")
        column, out = column.map(read), out.map(read)
    ordered = sorted(column)
    assert min(out) >= ordered[RARE - 1]
    assert max(out) <= ordered[-RARE]
    assert max(out) > ordered[-3 * RARE]


@pytest.mark.parametrize("form", FORMS)
def test_without_protection_the_ends_are_reached_exactly(form):
    column = FORMS[form](PEOPLE)
    codec = TableCodec(Options(protect=False)).fit(pd.DataFrame({"x": column}))
    (block,) = codec.spec.blocks
    ends = TableBatch(
        torch.tensor([[0], [block.numbered - 1]]), torch.tensor([[-9.0], [9.0]]), torch.ones(2, 1, dtype=torch.bool)
    )
    out = codec.decode(ends)["x"]
    at = [int(PEOPLE.argmin()), int(PEOPLE.argmax())]
    if form == "large float":
        assert out.tolist() == pytest.approx(column.iloc[at].tolist(), rel=1e-12)
    else:
        assert out.tolist() == column.iloc[at].tolist()


def test_values_that_five_rows_hold_are_kept_at_the_very_ends():
    x = np.concatenate([np.repeat(-50.0, 5), np.arange(500) / 7, np.repeat(999.0, 5)])
    codec = TableCodec().fit(pd.DataFrame({"x": x}))
    out = codec.decode(draw(codec, 2_000))["x"]
    assert (out.min(), out.max()) == (-50, 999)


def test_infinities_and_odd_marks_of_few_rows_are_not_given_out():
    x = np.append(np.random.default_rng(0).normal(size=200), [np.inf] * 4 + [-np.inf] * 5)
    df = pd.DataFrame({"x": x, "t": [f"{v:.3f}" for v in x[:200]] + ["?"] * 4 + ["n/a"] * 5})
    codec = TableCodec().fit(df)
    said, out = everything(codec)
    assert [f.type for f in codec.schema_.fields] == ["number", "number"]
    assert np.isneginf(out["x"]).any()
    assert not np.isposinf(out["x"]).any()
    assert "?" not in said
    assert "?" not in set(out["t"])
    assert "n/a" in set(out["t"])
    assert not codec.encode(df).known_BC[200:204].any()


@pytest.mark.parametrize(
    "cells",
    [
        ["Ann", "Bob", "Cyd", "Dan"],
        [1.5, 2.5, 3.5, 9.25],
        [dt.date(2020, 1, i) for i in (1, 2, 3, 4)],
        [Decimal("7.77")] * 4,
    ],
)
def test_a_column_that_few_rows_fill_is_withheld(cells):
    df = pd.DataFrame({"x": pd.Series([*cells, *[None] * 96], dtype=object), "y": np.arange(100) % 10})
    codec = TableCodec().fit(df)
    said, out = everything(codec)
    assert codec.schema_["x"].type == "constant"
    assert set(out["x"].dropna()) <= {"<other>"}
    assert not any(str(cell) in said for cell in cells)
    assert "rare values (4 rows)" in codec.notices["x"]


@pytest.mark.parametrize(
    "real",
    [
        [f"PT-{i:08d}" for i in np.random.default_rng(0).permutation(10**8 - 1)[:400]],
        np.random.default_rng(0).permutation(10**7)[:400] + 10**7,
    ],
)
def test_the_ends_of_an_empty_stretch_do_not_give_away_their_neighbours(real):
    codec = TableCodec(schema={"id": "identifier"}).fit(pd.DataFrame({"id": real}))
    (column,) = codec.columns_
    room = column.shapes[0]["room"] if column.shapes else column.stretches[0][1]
    row = np.array([-1, 0, room - 1, room])
    if column.shapes:
        shape = column.shapes[0]
        near = column._spell(shape, row)
    else:
        near = (column.stretches[0][0] + row).tolist()
    assert not set(near) & set(real)
