"""pandas dtypes by name, and back: a column leaves with exactly the dtype with which it came."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from synthloom.errors import DataError
from synthloom.schema import Name

__all__ = ["cast", "dtype_name", "refuse_unsupported"]

_REMEDIES = {
    "complex": "split it into a real and an imaginary column",
    "Sparse": "make it dense with df[column].sparse.to_dense()",
    "period": "turn it into dates with df[column].dt.to_timestamp()",
    "interval": "turn it into text with df[column].astype(str)",
    "bytes": "decode it with df[column].str.decode(...)",
    "nested": "give each part a column of its own, for example with pandas.json_normalize",
}


def refuse_unsupported(series: pd.Series, name: Name) -> None:
    """Refuse dtypes and cell types that cannot come back as they were."""
    dtype = series.dtype
    kind = None
    if isinstance(dtype, pd.SparseDtype):
        kind = "Sparse"
    elif isinstance(dtype, pd.PeriodDtype):
        kind = "period"
    elif isinstance(dtype, pd.IntervalDtype):
        kind = "interval"
    elif isinstance(dtype, np.dtype) and dtype.kind in "cSV":
        kind = "complex" if dtype.kind == "c" else "bytes"
    elif isinstance(dtype, pd.ArrowDtype):
        import pyarrow.types as arrow

        kind = "nested" if arrow.is_nested(dtype.pyarrow_dtype) else None
        kind = "bytes" if arrow.is_binary(dtype.pyarrow_dtype) else kind
    elif dtype == object:
        types = set(map(type, series.dropna()))
        nested = [t for t in types if issubclass(t, (list, dict, set, tuple, np.ndarray, pd.DataFrame, pd.Series))]
        kind = (
            "nested" if nested else "bytes" if types & {bytes, bytearray} else "complex" if complex in types else None
        )
    if kind:
        raise DataError(f"column {name!r} must hold plain values, however: its dtype is {kind}; {_REMEDIES[kind]}")


def dtype_name(dtype: Any) -> str:
    """A name from which `cast` can make the dtype again (a category's levels are kept elsewhere).

    >>> dtype_name(pd.StringDtype("python")), dtype_name(np.dtype("float32"))
    ('string[python]', 'float32')
    """
    if isinstance(dtype, pd.StringDtype):
        return f"str[{dtype.storage}]" if dtype.na_value is np.nan else f"string[{dtype.storage}]"
    return str(dtype)


def cast(values: np.ndarray, missing: np.ndarray, name: str) -> pd.Series:
    """`values` (objects, numbers, or datetime64 in UTC) as a column of the dtype called `name`, with holes."""
    holes = bool(missing.any())
    if name.startswith("datetime64"):
        stamps = pd.Series(np.where(missing, np.datetime64("NaT"), values))
        dtype = pd.api.types.pandas_dtype(name)
        if isinstance(dtype, pd.DatetimeTZDtype):
            return stamps.dt.tz_localize("UTC").dt.tz_convert(dtype.tz).astype(dtype)
        return stamps.astype(dtype)
    if name.startswith("timedelta64"):
        return pd.Series(np.where(missing, np.timedelta64("NaT"), values)).astype(name)
    if name == "object":
        cells = np.empty(len(values), dtype=object)
        cells[:] = values.tolist() if values.dtype != object else values
        cells[missing] = None
        return pd.Series(cells, dtype=object)
    if name.startswith(("str[", "string[")):
        storage = name.split("[")[1].rstrip("]")
        string = pd.StringDtype(storage, na_value=np.nan) if name.startswith("str[") else pd.StringDtype(storage)
        cells = np.asarray(values, dtype=object).copy()
        cells[missing] = None
        return pd.Series(cells, dtype=string)
    if not holes:
        return pd.Series(values).astype(name)
    if pd.api.types.pandas_dtype(name).kind == "f" and isinstance(pd.api.types.pandas_dtype(name), np.dtype):
        return pd.Series(np.where(missing, np.nan, values.astype(float))).astype(name)
    column = pd.Series(values).astype(name)  # extension dtypes hold pd.NA beside exact integers
    column[missing] = pd.NA
    return column
