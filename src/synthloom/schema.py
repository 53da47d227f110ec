"""What the raw data is: one `Field` per column. Frozen, JSON both ways, and the user may override any of it.

Detection lives with the column types (`codecs/columns`), because a type knows best which columns it can take.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from synthloom.errors import DataError, UsageError

__all__ = ["Field", "Name", "Overrides", "Schema", "read_overrides"]

Name: TypeAlias = str | int | float | bool | None
"""What a column may be called: anything that JSON can say."""

_WORDS = {
    "continuous": "number",
    "numerical": "number",
    "numeric": "number",
    "numbers": "number",
    "categorical": "category",
    "categories": "category",
    "discrete": "category",
    "booleans": "boolean",
    "datetimes": "datetime",
    "dates": "datetime",
    "durations": "duration",
    "identifiers": "identifier",
    "ids": "identifier",
    "id": "identifier",
    "texts": "text",
    "constants": "constant",
}
"""Words that people use for the column types."""


@dataclass(frozen=True)
class Field:
    """One column: its name, its type, the dtype to give back, whether cells may be missing, and facts of the type.

    `hole` says how a column of objects writes a missing cell: "None", "NaN", "NaT" or "NA".

    >>> Field("age", "number", "int64", facts={"decimals": 0}).to_json()["facts"]
    {'decimals': 0}
    """

    name: Name
    type: str
    dtype: str
    nullable: bool = False
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    hole: str | None = None

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Schema:
    """The columns in their order, and the names of the two axes."""

    fields: tuple[Field, ...]
    columns_name: Name = None
    index_name: Name = None

    def __getitem__(self, name: Name) -> Field:
        for field in self.fields:
            if field.name == name:
                return field
        raise DataError(f"a column of the table must be named, however: {name!r} is none of {self.names}")

    @property
    def names(self) -> list[Name]:
        return [field.name for field in self.fields]

    def to_json(self) -> dict[str, Any]:
        return {
            "fields": [field.to_json() for field in self.fields],
            "columns_name": self.columns_name,
            "index_name": self.index_name,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Schema:
        fields = tuple(Field(**field) for field in document["fields"])
        return cls(fields, document.get("columns_name"), document.get("index_name"))


Overrides: TypeAlias = Schema | Mapping[Any, Any]
"""A whole schema, `{"continuous": ["age"], "categorical": [...]}`, or `{"age": "number", "code": {"type": ...}}`."""


def read_overrides(given: Overrides | None, names: Iterable[Name], types: Iterable[str]) -> dict[Name, dict[str, Any]]:
    """What the user says about columns: {column: {"type": ..., and facts}}. Unknown words and columns are refused.

    >>> read_overrides({"continuous": ["age"], "sex": "categorical"}, ["age", "sex"], ["number", "category"])
    {'age': {'type': 'number'}, 'sex': {'type': 'category'}}
    """
    names, types = list(names), list(types)
    if given is None:
        return {}
    if isinstance(given, Schema):
        given = {field.name: {"type": field.type, **field.facts} for field in given.fields}
    if not isinstance(given, Mapping):
        raise UsageError(f"a schema must be a Schema or a mapping, however: it is a {type(given).__name__}")
    said: dict[Name, dict[str, Any]] = {}
    for key, value in given.items():
        if isinstance(value, (list, tuple)):
            said |= {name: {"type": key} for name in value}
        elif isinstance(value, (str, Mapping)):
            said[key] = {"type": value} if isinstance(value, str) else dict(value)
        else:
            raise UsageError(f"a schema must say a type, a dict, or a list of columns, however: {key!r}: {value!r}")
    for name, facts in said.items():
        if name not in names:
            raise DataError(f"the schema may only speak of columns of the table, however: there is no {name!r}")
        if "type" in facts:
            word = str(facts["type"])
            facts["type"] = _WORDS.get(word, word)
            if facts["type"] not in types:
                raise UsageError(f"the type of column {name!r} must be one of {types}, however: {word!r}")
    return said
