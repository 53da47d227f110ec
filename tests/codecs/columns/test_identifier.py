"""Identifiers: new, unique where they were, in the old shape, whoever makes which rows."""

import re
import uuid

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthloom.codecs.columns import Options
from synthloom.codecs.columns.identifier import IdentifierColumn, scatter, unscatter
from synthloom.codecs.table import TableCodec
from synthloom.errors import DataError
from synthloom.schema import Field

STREAM = np.random.default_rng(0)
CODES = STREAM.permutation(10**6)[:500]
REAL = {
    "numbers in text": [f"{i:06d}" for i in CODES],
    "a prefix": [f"PT-{i:06d}/x" for i in CODES],
    "every one of a prefix": [f"P{i:03d}" for i in range(500)],
    "two shapes": [f"A{i:05d}" if i % 3 else f"B-{i:06d}-{i % 10}" for i in CODES],
    "uuid": [str(uuid.UUID(bytes=STREAM.bytes(16))) for _ in CODES],
    "letters": ["".join(chr(97 + int(i) // 26**k % 26) for k in range(5)) for i in CODES],
    "e-mail": [f"{'abcdefgh'[: 3 + i % 6]}{i}@example.org" for i in CODES],
    "names": [
        f"{('Jöran', 'Ådel', 'Łukasz', 'Zoë')[i % 4]}, {chr(65 + i % 26)}{'xyzäö'[i % 5] * (i % 7)} {i}" for i in CODES
    ],
    "nothing alike": ["".join(chr(0x4E00 + int(c)) for c in STREAM.integers(0, 5_000, 3 + i % 9)) for i in CODES],
    "empty and NUL": ["", *(f"\0{i}\0" for i in CODES[1:])],
    "lone surrogates": [f"\ud800{i}" for i in CODES],
    "line breaks": [f"{i}\nrow" for i in CODES],
    "row numbers": np.arange(500),
    "sparse integers": np.sort(CODES) + 10**6,
    "integers of many lengths": np.unique(STREAM.integers(0, 10 ** STREAM.integers(1, 9, 500))),
    "negative integers": -CODES,
    "int8 row numbers": np.arange(-60, 60, dtype=np.int8),
    "int16": np.arange(500, dtype=np.int16),
    "int32 of ten digits": STREAM.permutation(10**6)[:500].astype(np.int32) * 1_000 + 10**9,
    "int64 of nineteen digits": STREAM.permutation(10**6)[:500] * 10**11 + 10**18,
    "uint64 of twenty digits": STREAM.permutation(10**6)[:500].astype(np.uint64) + np.uint64(10**19),
    "Int64": pd.array(CODES, dtype="Int64"),
}
NO_ROOM = {"int8 row numbers"}


def column_of(real, unique=True, seed=0):
    present = pd.Series(real, dtype=object if isinstance(real, list) else None)
    field = Field("id", "identifier", str(present.dtype), facts={"unique": unique})
    return IdentifierColumn.fit(present, field, Options(), np.random.default_rng(seed))


def made(column, rows, start=0, seed=0):
    row = np.arange(start, start + rows)
    return column.decode(np.zeros(rows, np.int64), np.zeros(rows, np.float32), row, seed).tolist()


@pytest.mark.parametrize("name", [name for name in REAL if name not in NO_ROOM])
def test_they_are_new_and_unique_in_whatever_parts_they_are_made(name):
    column = column_of(REAL[name])
    ids = made(column, 3_000)
    assert len(set(ids)) == 3_000
    assert not set(ids) & set(np.asarray(REAL[name], dtype=object).tolist())
    for start in (2_000, 0, 1_000):
        assert made(column, 500, start) == ids[start : start + 500]


@pytest.mark.parametrize("name", [name for name in REAL if isinstance(REAL[name], list)])
def test_they_stay_new_and_unique_after_the_empty_stretch_is_used_up(name):
    column = column_of(REAL[name])
    ends = sorted({shape["room"] for shape in column.shapes})
    rows = np.unique(np.concatenate([np.arange(max(0, end - 300), end + 300) for end in ends]))
    ids = column.decode(rows, rows, rows, 0).tolist()
    assert len(set(ids)) == len(rows)
    assert not set(ids) & set(REAL[name])
    far = made(column, 300, start=10**15)
    assert len(set(far)) == 300
    assert not set(far) & (set(REAL[name]) | set(ids))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("numbers in text", r"\d{6}"),
        ("a prefix", r"PT-\d{6}/x"),
        ("every one of a prefix", r"P\d{4}"),
        ("two shapes", r"A\d{5,6}|B-\d{6}-\d"),
        ("uuid", r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
        ("letters", r"[a-z]{5}"),
        ("nothing alike", r"[A-Z][a-z]{7}"),
        ("sparse integers", r"\d{7}"),
    ],
)
def test_they_look_like_the_real_ones(name, shape):
    assert all(re.fullmatch(shape, str(made_up)) for made_up in made(column_of(REAL[name]), 400))


def test_whole_numbers_of_no_room_are_no_identifiers():
    with pytest.raises(DataError, match="of type identifier, as was said"):
        TableCodec(schema={"x": "id"}).fit(pd.DataFrame({"x": REAL["int8 row numbers"]}))
    assert TableCodec().fit(pd.DataFrame({"id": REAL["int8 row numbers"]})).schema_["id"].type == "number"


def test_whole_numbers_that_run_out_say_so():
    column = column_of(REAL["int16"])
    assert column.decode(*[np.arange(3)] * 3, 0).tolist() == [1_000, 1_001, 1_002]
    with pytest.raises(DataError, match="last for 31767 rows"):
        made(column, 10, start=31_760)


@pytest.mark.parametrize("name", ["numbers in text", "sparse integers"])
def test_repeated_ones_repeat_as_often_as_the_real_ones_and_the_same_everywhere(name):
    real = np.repeat(np.array(REAL[name], dtype=object if name == "numbers in text" else None), 3)[:900]
    column = column_of(real if real.dtype != object else real.tolist(), unique=False)
    ids = made(column, 20_000, seed=5)
    assert len(set(ids)) / 20_000 == pytest.approx(1 / 3, abs=0.02)
    assert made(column, 500, start=7_000, seed=5) == ids[7_000:7_500]
    assert made(column, 20_000, seed=6) != ids
    assert not set(ids) & set(real.tolist())


def test_the_same_seed_makes_the_same_identifiers_and_another_seed_others():
    real = REAL["a prefix"]
    assert made(column_of(real), 50) == made(column_of(real), 50) != made(column_of(real, seed=1), 50)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 200), st.integers(1, 200), st.lists(st.integers(1, 2**62 - 1), min_size=1, max_size=4))
def test_scattering_is_a_permutation_of_the_box_and_can_be_undone(a, b, keys):
    x, y = np.divmod(np.arange(a * b), b)
    there = scatter(x, y, a, b, keys)
    assert len(np.unique(there[0] * b + there[1])) == a * b
    back = unscatter(*there, a, b, keys)
    assert np.array_equal(back[0], x)
    assert np.array_equal(back[1], y)


@pytest.mark.parametrize(
    ("column", "name", "found"),
    [
        ([f"K{i}" for i in range(100)], "x", "identifier"),
        ([f"K{i % 50}" for i in range(100)], "x", "identifier"),
        ([f"K{i % 20}" for i in range(100)], "x", "category"),
        ([f"{i}.5" for i in range(100)], "x", "number"),
        ([f"K{i}" for i in range(15)], "x", "category"),
        (np.arange(100), "x", "identifier"),
        (np.arange(100) * 3, "x", "number"),
        (np.arange(100) * 3, "patient_id", "identifier"),
        (np.arange(100) * 3, "orderNr", "identifier"),
        (np.arange(100) * 3, "paid", "number"),
        (np.arange(100) * 3, "humid", "number"),
        (np.arange(100) % 20, "id", "number"),
        (np.arange(100) / 2, "id", "number"),
    ],
)
def test_what_is_taken_for_an_identifier(column, name, found):
    assert TableCodec().fit(pd.DataFrame({name: column})).schema_[name].type == found
