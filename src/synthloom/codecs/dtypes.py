"""pandas dtypes by name, and back: a column leaves with exactly the dtype with which it came."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from synthloom.errors import DataError
from synthloom.schema import Name

__all__ = ["cast", "dtype_name", "holds_text", "hole_kind", "refuse_unsupported"]

_REMEDIES = {
    "complex": "split it into a real and an imaginary column",
    "Sparse": "make it dense with df[column].sparse.to_dense()",
    "period": "turn it into dates with df[column].dt.to_timestamp()",
    "interval": "turn it into text with df[column].astype(str)",
    "bytes": "decode it with df[column].str.decode(...)",
    "dictionary": "turn it into a pandas category with df[column].astype('category')",
    "nested": "give each part a column of its own, for example with pandas.json_normalize",
    "a category of other things than text, numbers and booleans": "turn it into text with df[column].astype(str)",
}
_LEVELS = (str, int, float, np.integer, np.floating, np.bool_)
_HOLES: dict[str, Any] = {"None": None, "NaN": np.nan, "NaT": pd.NaT, "NA": pd.NA}


def refuse_unsupported(series: pd.Series, name: Name) -> None:
    """Refuse dtypes and cell types that cannot come back as they were."""
    kind = _unsupported(series)
    if kind:
        raise DataError(f"column {name!r} must hold plain values, however: its dtype is {kind}; {_REMEDIES[kind]}")


def _unsupported(series: pd.Series) -> str | None:
    dtype = series.dtype
    if isinstance(dtype, pd.SparseDtype):
        return "Sparse"
    if isinstance(dtype, pd.PeriodDtype):
        return "period"
    if isinstance(dtype, pd.IntervalDtype):
        return "interval"
    if isinstance(dtype, pd.CategoricalDtype):
        plain = all(issubclass(kind, _LEVELS) for kind in set(map(type, dtype.categories)))
        return None if plain else "a category of other things than text, numbers and booleans"
    if isinstance(dtype, pd.ArrowDtype):
        arrow = dtype.pyarrow_dtype
        if pa.types.is_dictionary(arrow):
            return "dictionary"
        return "nested" if pa.types.is_nested(arrow) else "bytes" if "binary" in str(arrow) else None
    if isinstance(dtype, np.dtype) and dtype.kind in "cSV":
        return "complex" if dtype.kind == "c" else "bytes"
    if dtype.kind == "O" and isinstance(dtype, np.dtype):
        kinds = set(map(type, series))
        if any(issubclass(kind, (tuple, frozenset)) or kind.__hash__ is None for kind in kinds):
            return "nested"
        if any(issubclass(kind, (complex, np.complexfloating)) for kind in kinds):
            return "complex"
        return "bytes" if kinds & {bytes, np.bytes_, memoryview} else None
    return None


def dtype_name(dtype: Any) -> str:
    """A name from which `cast` can make the dtype again (a category's levels are kept elsewhere).

    >>> dtype_name(pd.StringDtype("python")), dtype_name(np.dtype("float32")), dtype_name(pd.ArrowDtype(pa.string()))
    ('string[python]', 'float32', 'arrow[string]')
    """
    if isinstance(dtype, pd.StringDtype):
        return f"str[{dtype.storage}]" if dtype.na_value is np.nan else f"string[{dtype.storage}]"
    if isinstance(dtype, pd.ArrowDtype):
        return f"arrow[{dtype.pyarrow_dtype}]"
    return str(dtype)


def holds_text(name: str) -> bool:
    """Whether any text may stand in a column of the dtype called `name`."""
    return name == "object" or name.startswith(("str[", "string[")) or (name.startswith("arrow[") and "string" in name)


def hole_kind(series: pd.Series) -> str | None:
    """How an object column writes a missing cell: as None, NaN, NaT or NA; None where that is no question."""
    gaps = series[series.isna()]
    if series.dtype != object or not len(gaps):
        return None
    first = gaps.iloc[0]
    if isinstance(first, (float, np.floating, Decimal)):
        return "NaN"
    return "NaT" if first is pd.NaT else "NA" if first is pd.NA else "None"


def cast(values: np.ndarray, missing: np.ndarray, name: str, hole: str | None = None) -> pd.Series:
    """`values` (objects, numbers, or datetime64 in UTC) as a column of the dtype called `name`, with holes."""
    if name == "object":
        cells = np.empty(len(values), dtype=object)
        cells[:] = values.tolist() if values.dtype != object else values
        cells[missing] = _HOLES[hole or "None"]
        return pd.Series(cells, dtype=object)
    if name.startswith("arrow["):
        kind = _arrow_type(name[len("arrow[") : -1])
        array = pa.array(values, kind if values.dtype == object else None, mask=missing).cast(kind)
        return pd.Series(pd.arrays.ArrowExtensionArray(array))
    if name.startswith(("str[", "string[")):
        cells = np.asarray(values, dtype=object).copy()
        cells[missing] = None
        return pd.Series(cells, dtype=_string_dtype(name))
    if missing.all() and values.dtype == object:  # nothing was learnt, so the values say nothing of their kind
        return pd.Series([None] * len(values), dtype=name)
    dtype = pd.api.types.pandas_dtype(name)
    if name.startswith("datetime64"):
        stamps = pd.Series(np.where(missing, np.datetime64("NaT"), values))
        if isinstance(dtype, pd.DatetimeTZDtype):
            return stamps.dt.tz_localize("UTC").dt.tz_convert(dtype.tz).astype(dtype)
        return stamps.astype(dtype)
    if name.startswith("timedelta64"):
        return pd.Series(np.where(missing, np.timedelta64("NaT"), values)).astype(dtype)
    if isinstance(dtype, np.dtype):
        return pd.Series(np.where(missing, np.nan, values) if missing.any() else values).astype(dtype)
    column = pd.Series(values).astype(dtype)  # these hold pd.NA beside exact integers
    column[missing] = pd.NA
    return column


def _string_dtype(name: str) -> Any:
    storage = name.split("[")[1].rstrip("]")
    try:
        return pd.StringDtype(storage, na_value=np.nan) if name.startswith("str[") else pd.StringDtype(storage)
    except TypeError:  # pandas before 2.3, whose frames have no such strings, reads a model from after it
        return np.dtype(object)


def _arrow_type(text: str) -> pa.DataType:
    if stamp := re.fullmatch(r"timestamp\[(\w+), tz=(.+)\]", text):
        return pa.timestamp(stamp[1], stamp[2])
    if decimal := re.fullmatch(r"decimal(\d+)\((\d+), (-?\d+)\)", text):
        return getattr(pa, f"decimal{decimal[1]}")(int(decimal[2]), int(decimal[3]))
    return pa.type_for_alias(text)
