"""Any frame at all: it comes back with its dtypes, or it is refused in so many words."""

import datetime as dt
import json
import os
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synthloom.codecs.columns import Options
from synthloom.codecs.table import TableCodec
from synthloom.errors import SynthloomError
from synthloom.spec import TableBatch

EXAMPLES = int(os.environ.get("SYNTHLOOM_EXAMPLES", "150"))
"""More of them, thousands, now and then: SYNTHLOOM_EXAMPLES=5000 pytest tests/codecs/test_any_frame.py"""

FLOATS = st.floats(allow_nan=False) | st.sampled_from([0.0, -0.0, 1e300, 5e-324, 0.1, 2.5, float("inf")])
INTS = st.integers(-(2**70), 2**70) | st.integers(0, 5)
TEXTS = st.text(max_size=12) | st.sampled_from(
    ["", " ", "1.5", "2.25", "nan", "2024-01-31", "31/01/2024", "<other>", "A-1", "\ud800"]
)
DATES = st.dates()
MOMENTS = st.datetimes()
SPANS = st.timedeltas()
DECIMALS = st.decimals(allow_nan=False) | st.decimals(allow_nan=False, allow_infinity=False, places=2)
CELLS = {
    int: INTS,
    float: FLOATS,
    bool: st.booleans(),
    str: TEXTS,
    dt.date: DATES,
    dt.datetime: MOMENTS,
    dt.time: st.times(),
    dt.timedelta: SPANS,
    Decimal: DECIMALS,
}
REFUSED = {
    bytes: st.binary(max_size=3),
    list: st.lists(st.integers(), max_size=2),
    complex: st.complex_numbers(),
    object: st.just(object()),
    frozenset: st.just(frozenset()),
}
HOLES = st.sampled_from([None, np.nan, pd.NaT, pd.NA, Decimal("NaN"), np.float64("nan"), np.datetime64("NaT")])
NUMPY_INTS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
MASKED_INTS = ["Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"]
ARROW = {
    pa.string(): st.text(max_size=12),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.uint8(): st.integers(0, 255),
    pa.float32(): st.floats(width=32, allow_nan=False),
    pa.float64(): st.floats(),
    pa.bool_(): st.booleans(),
    pa.decimal128(6, 2): st.decimals("-9999", "9999", places=2),
    pa.decimal128(38, 3): st.decimals(-(10**34), 10**34, places=3),
    pa.date32(): DATES,
    pa.time64("us"): st.times(),
    pa.timestamp("us"): MOMENTS,
    pa.timestamp("s", "Europe/Paris"): st.datetimes(dt.datetime(1000, 1, 1), dt.datetime(9000, 1, 1)).map(
        lambda moment: moment.replace(microsecond=0)
    ),
    pa.duration("us"): st.timedeltas(dt.timedelta(-(10**6)), dt.timedelta(10**6)),
    pa.null(): st.none(),
}


def pool(cell, rows):
    """Lists of cells of which many are alike, as in real columns, or all are different."""
    few = st.lists(cell, min_size=1, max_size=4).flatmap(
        lambda values: st.lists(st.sampled_from(values), min_size=rows, max_size=rows)
    )
    return few | st.lists(cell, min_size=rows, max_size=rows)


def objects(values):
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return pd.Series(column, dtype=object)


def bounded(name):
    bounds = np.iinfo(name.lower())
    return st.integers(int(bounds.min), int(bounds.max)) | st.integers(0, 9)


@st.composite
def columns(draw, rows):
    kind = draw(
        st.sampled_from(
            ["object", "mixture", "refused", "int", "float", "bool", "masked", "text", "category", "time", "arrow"]
        )
    )
    gap = draw(st.lists(st.booleans(), min_size=rows, max_size=rows)) if draw(st.booleans()) else [False] * rows
    if kind in ("object", "mixture", "refused"):
        cells = CELLS | REFUSED if kind == "refused" else CELLS
        chosen = draw(st.lists(st.sampled_from(list(cells)), min_size=1, max_size=1 if kind == "object" else 3))
        values = draw(pool(st.one_of([cells[k] for k in chosen]), rows))
        hole = draw(HOLES)
        return objects([hole if g else v for v, g in zip(values, gap, strict=True)])
    if kind == "int":
        name = draw(st.sampled_from(NUMPY_INTS))
        return pd.Series(np.array(draw(pool(bounded(name), rows)), dtype=name))
    if kind == "float":
        width = draw(st.sampled_from([16, 32, 64]))
        return pd.Series(np.array(draw(pool(st.floats(width=width), rows)), dtype=f"float{width}"))
    if kind == "bool":
        return pd.Series(draw(pool(st.booleans(), rows)), dtype=draw(st.sampled_from(["bool", "boolean"])))
    if kind == "masked":
        name = draw(st.sampled_from([*MASKED_INTS, "Float32", "Float64", "boolean"]))
        cell = (
            st.booleans()
            if name == "boolean"
            else bounded(name)
            if "nt" in name
            else st.floats(width=32, allow_nan=False)
        )
        values = draw(pool(cell, rows))
        return pd.Series([None if g else v for v, g in zip(values, gap, strict=True)], dtype=name)
    if kind == "text":
        values = draw(pool(st.text(max_size=12) | st.sampled_from(["1.5", "2.0", "2024-01-31", "AB-12"]), rows))
        values = [None if g else v for v, g in zip(values, gap, strict=True)]
        dtype = draw(st.sampled_from([None, "string[python]", "string[pyarrow]", object]))
        return pd.Series(values, dtype=dtype)
    if kind == "category":
        chosen = draw(st.sampled_from([str, int, float, bool, dt.date]))
        levels = list(
            dict.fromkeys(draw(st.lists(CELLS[chosen].filter(lambda v: v != "\ud800"), min_size=1, max_size=6)))
        )
        codes = draw(st.lists(st.integers(-1, len(levels) - 1), min_size=rows, max_size=rows))
        index = pd.Index(levels, dtype=None if chosen is not int else object)
        if not index.is_unique:
            index = pd.Index(["a", "b", "c", "d", "e", "f"])
        return pd.Series(pd.Categorical.from_codes(codes, categories=index, ordered=draw(st.booleans())))
    if kind == "time":
        name = draw(
            st.sampled_from(
                [
                    "datetime64[s]",
                    "datetime64[ms]",
                    "datetime64[us]",
                    "datetime64[ns]",
                    "timedelta64[ns]",
                    "timedelta64[s]",
                ]
            )
        )
        ticks = draw(pool(st.integers(-(2**62), 2**62) if "ns" in name else st.integers(-(10**10), 10**10), rows))
        column = pd.Series(np.array(ticks, np.int64).view(name))
        column[np.array(gap, bool)] = pd.NaT
        if name.startswith("datetime") and draw(st.booleans()):
            column = column.dt.tz_localize("UTC").dt.tz_convert(
                draw(st.sampled_from(["UTC", "Asia/Tokyo", "America/New_York"]))
            )
        return column
    dtype = draw(st.sampled_from(list(ARROW)))
    values = draw(pool(ARROW[dtype], rows))
    return pd.Series(
        pd.arrays.ArrowExtensionArray(pa.array([None if g else v for v, g in zip(values, gap, strict=True)], dtype))
    )


@st.composite
def frames(draw):
    rows = draw(st.integers(20, 30) | st.integers(0, 30))
    name = TEXTS.filter(lambda text: text != "\ud800") | st.integers(0, 3) | st.none()
    names = draw(st.lists(name, unique=draw(st.integers(0, 9)) > 0, min_size=draw(st.integers(0, 1)), max_size=6))
    parts = [draw(columns(rows)) for _ in names]
    df = pd.concat(parts, axis=1) if parts else pd.DataFrame(index=range(rows))
    df.columns = pd.Index(names, dtype=object)
    return df


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(frames(), st.booleans(), st.sampled_from(["quantile", "quantile", "gmm"]), st.integers(0, 2**32 - 1))
def test_any_frame_comes_back_or_is_refused(df, protect, numbers, seed):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            codec = TableCodec(Options(protect=protect, numbers=numbers)).fit(df)
        except SynthloomError:
            return
        batch = codec.encode(df)
        document, arrays = codec.state()
        again = TableCodec.load(json.loads(json.dumps(document, allow_nan=False)), arrays)
        for out in (codec.decode(batch), codec.decode(random_codes(codec, seed)), again.decode(batch)):
            assert list(out.columns) == list(df.columns)
            for i, (before, after) in enumerate(zip(df.dtypes, out.dtypes, strict=True)):
                if protect and isinstance(before, pd.CategoricalDtype):  # rare levels may go
                    assert set(after.categories) <= set(before.categories)
                    assert after.ordered == before.ordered
                else:
                    assert after == before, (i, df.iloc[:, i].tolist())
        assert codec.decode(batch).isna().sum().ge(df.isna().sum()).all()


def random_codes(codec, seed):
    torch.manual_seed(seed)
    blocks = codec.spec.blocks
    choice = torch.stack([torch.randint(b.choices, (20,)) for b in blocks], 1) if blocks else torch.zeros(20, 0).long()
    value = 3 * torch.randn(choice.shape) * (choice < torch.tensor([b.numbered for b in blocks]))
    return TableBatch(choice, value, torch.ones_like(choice, dtype=torch.bool))
