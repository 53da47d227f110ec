"""One column of a CSV file: from the text of its fields to a type, and from any type to text that reads as the same."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from synthloom.errors import DataError

__all__ = ["DELIMITERS", "MISSING", "Kind", "enclose", "field_text"]

DELIMITERS = (",", ";", "\t", "|")
MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "<NA>", "#N/A")


# -- from text to types -----------------------------------------------------------------------------------------------


def _numbers(type_: pa.DataType) -> Callable[[Any], Any]:
    def read(text: Any) -> Any:
        try:
            numbers = text.cast(type_)
        except pa.ArrowInvalid:
            return None
        return None if _padded(text) else numbers

    return read


def _padded(text: Any) -> bool:
    """Whether a number among numbers is written with zeros in front, as codes are (01234), or in hexadecimal."""
    if isinstance(text, pa.ChunkedArray):
        return any(map(_padded, text.chunks))
    if text.null_count == len(text):
        return False
    bounds = np.frombuffer(text.buffers()[1], np.int32)[text.offset : text.offset + len(text) + 1]
    byte = np.frombuffer(text.buffers()[2], np.uint8)
    long = np.diff(bounds) > 1
    start, end = bounds[:-1][long], bounds[1:][long]
    start = start + (byte[start] == ord("-"))
    zero = byte[start] == ord("0")
    second = byte[start[zero & (end - start > 1)] + 1]
    return not np.isin(second, list(b".eE")).all()


def _codes(text: Any) -> Any:
    """Digits and nothing else: numbers to look at, but too long, zero-padded, or with a plus as telephones have."""
    return text if pc.all(pc.match_substring_regex(text, r"^[+-]?[0-9]+$")).as_py() is not False else None


def _booleans(text: Any) -> Any:
    which = pc.index_in(text, pa.array(["true", "True", "TRUE", "false", "False", "FALSE"]))
    return pc.less(which, 3) if which.null_count == text.null_count else None


_READ: dict[str, Callable[[Any], Any]] = {
    "int64": _numbers(pa.int64()),
    "uint64": _numbers(pa.uint64()),
    "codes": _codes,
    "float64": _numbers(pa.float64()),
    "bool": _booleans,
}
_WITH_GAPS = {"int64": pd.Int64Dtype(), "uint64": pd.UInt64Dtype(), "bool": pd.BooleanDtype()}


class Kind:
    """What a column can be: narrowed with each stretch of it, so that the first of `fits` holds for the whole."""

    def __init__(self) -> None:
        self._fits = list(_READ)
        self._text = self._filled = False
        self._gaps = False

    def narrow(self, text: Any) -> Any:
        """Take a stretch into account, and return it as what the column is by now."""
        self._text |= text.null_count < len(text)
        self._filled = self._filled or _filled(text.slice(0, 64)) or _filled(text)
        found: dict[str, Any] = {}
        fits = []
        for kind in self._fits:
            if "int64" in found and kind != "bool":  # other numbers can hold it, but for the sign: no need to look
                if kind != "uint64" or pc.any(pc.less(found["int64"], 0)).as_py() is not True:
                    fits.append(kind)
            elif (values := _parse(kind, text)) is not None:
                found[kind] = values
                fits.append(kind)
                self._gaps |= kind in _WITH_GAPS and values.null_count > 0
        self._fits = fits
        return found[self.name] if self.name in found else self.values(text)

    @property
    def name(self) -> str:
        if not self._filled:
            return "text" if self._text else "float64"  # text: blanks in quotes; otherwise nothing at all
        first = next(iter(self._fits), "codes")
        return "text" if first == "codes" else first

    def values(self, text: Any) -> Any:
        return _parse(self.name, text) if self.name in _READ else text

    def series(self, values: Any) -> pd.Series:
        if self._gaps and self.name in _WITH_GAPS:
            return values.to_pandas(types_mapper=lambda _: _WITH_GAPS[self.name])
        return values.to_pandas()


def _parse(kind: str, text: Any) -> Any:
    """The column as `kind`, or None if one value of it is something else."""
    if len(text) > 64 and _parse(kind, text.slice(0, 64)) is None:
        return None  # most columns show by their first rows what they are not
    values = _READ[kind](text)
    return values if values is not None else _READ[kind](_tidy(text))


def _tidy(text: Any) -> Any:
    """For all but text: spaces around a value say nothing, and marks of missing values count in quotes too."""
    bare = pc.ascii_trim_whitespace(text)
    return pc.if_else(pc.is_in(bare, pa.array(MISSING)), None, bare)


def _filled(text: Any) -> bool:
    return bool(_tidy(text).null_count < len(text))


# -- from frames to lines ---------------------------------------------------------------------------------------------


def field_text(column: pd.Series, excel_safe: bool) -> pa.Array:
    """A column as the text of its fields; what is missing is null."""
    name = column.name
    try:
        values = _arrow(column)
    except UnicodeEncodeError as error:
        raise DataError(f"column {name!r} holds text that has no UTF-8 (a lone surrogate); replace it") from error
    kind = values.type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise DataError(
            f"a CSV file must hold one plain value per field, however: column {name!r} holds {kind}; leave it out"
        )
    if pa.types.is_null(kind):
        return values.cast(pa.large_string())
    if pa.types.is_boolean(kind):
        return pc.if_else(values, "True", "False").cast(pa.large_string())
    if pa.types.is_integer(kind):
        return values.cast(pa.large_string())
    if pa.types.is_floating(kind):
        return _float_text(values)
    if pa.types.is_temporal(kind) and not pa.types.is_duration(kind):
        return _time_text(values)
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return field_text(column.astype(object).map(str, na_action="ignore"), excel_safe)
    return _plain_text(values.cast(pa.large_string()), excel_safe)


def _arrow(column: pd.Series) -> pa.Array:
    try:
        values = pa.array(column, from_pandas=True)
    except (pa.ArrowException, OverflowError):  # an object column of several types
        values = pa.array(column.astype(object).map(str, na_action="ignore"), pa.large_string(), from_pandas=True)
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


def _float_text(values: pa.Array) -> pa.Array:
    """The shortest text that reads as the same number, and as a float: 3 becomes 3.0."""
    if values.type == pa.float16():
        values = values.cast(pa.float32())
    text = values.cast(pa.large_string())
    point = pc.or_(pc.match_substring(text, "."), pc.match_substring(text, "e"))
    whole = pc.and_not(pc.is_finite(values), point)
    return pc.if_else(whole, enclose("", text, ".0"), text)


def _time_text(values: pa.Array) -> pa.Array:
    """ISO 8601 with a space, seconds as exact as they are: 2024-05-06 07:08:09.5+02:00."""
    text = values.cast(pa.large_string())
    for pattern, short in (
        (r"(\.[0-9]*[1-9])0+([+Z-].*)?$", r"\1\2"),
        (r"\.0+([+Z-].*)?$", r"\1"),
        (r"(:.*[+-][0-9]{2})([0-9]{2})$", r"\1:\2"),
    ):
        text = pc.replace_substring_regex(text, pattern, short)
    return text


def _plain_text(text: pa.Array, excel_safe: bool) -> pa.Array:
    """Quoted where a reader would take it for something else, or its delimiter for another."""
    if excel_safe:
        formula = pc.match_substring_regex(text, r"^[=+\-@\t\r\x00]")
        text = pc.if_else(formula, enclose("'", text, ""), text)
    marks = "|".join(map(re.escape, MISSING))
    odd = pc.match_substring_regex(text, rf'[{"".join(DELIMITERS)}"\r\n\x00\x{{feff}}]|^({marks})$')
    doubled = pc.replace_substring(text, '"', '""')
    return pc.if_else(odd, enclose('"', doubled, '"'), text)


def enclose(before: str, text: Any, after: str) -> pa.Array:
    large = pa.large_string()
    return pc.binary_join_element_wise(pa.scalar(before, large), text, pa.scalar(after, large), pa.scalar("", large))
