"""What may be said about columns, and how it is remembered."""

import json

import pytest

from synthloom.errors import DataError, SynthloomError, UsageError
from synthloom.schema import Field, Schema, read_overrides

TYPES = ["constant", "boolean", "datetime", "duration", "text", "identifier", "number", "category"]
SCHEMA = Schema(
    (Field("age", "number", "int64", facts={"decimals": 0}), Field(3, "category", "object", True, hole="NaN")),
    "c",
    None,
)


def test_a_schema_survives_json():
    assert Schema.from_json(json.loads(json.dumps(SCHEMA.to_json()))) == SCHEMA


def test_a_field_is_found_by_name_or_refused():
    assert SCHEMA[3].hole == "NaN"
    with pytest.raises(DataError, match="'height' is none of"):
        SCHEMA["height"]


@pytest.mark.parametrize("word", ["continuous", "numerical", "numeric", "numbers", "number"])
def test_people_have_many_words_for_the_same(word):
    for given in ({word: ["a"]}, {"a": word}, {"a": {"type": word}}):
        assert read_overrides(given, ["a", "b"], TYPES) == {"a": {"type": "number"}}


def test_a_whole_schema_says_what_it_holds():
    said = read_overrides(SCHEMA, ["age", 3], TYPES)
    assert said == {"age": {"type": "number", "decimals": 0}, 3: {"type": "category"}}


def test_nothing_said_is_nothing():
    assert read_overrides(None, ["a"], TYPES) == read_overrides({}, ["a"], TYPES) == {}


@pytest.mark.parametrize(
    ("given", "error", "word"),
    [
        ({"a": "nmber"}, UsageError, "must be one of"),
        ({"nmber": ["a"]}, UsageError, "must be one of"),
        ({"a": {"type": 7}}, UsageError, "must be one of"),
        ({"z": "number"}, DataError, "there is no 'z'"),
        ({"number": ["a", "z"]}, DataError, "there is no 'z'"),
        ({"a": 7}, UsageError, "must say a type"),
        ("number", UsageError, "a Schema or a mapping"),
        ([("a", "number")], UsageError, "a Schema or a mapping"),
    ],
)
def test_slips_are_refused(given, error, word):
    assert issubclass(error, SynthloomError)
    with pytest.raises(error, match=word):
        read_overrides(given, ["a", "b"], TYPES)
