"""Free text is found, withheld, and its gaps are kept."""

import pandas as pd
import pytest

from synthloom.codecs.table import TableCodec

NOTES = [f"The patient number {i} came in with a cough and left without it." for i in range(60)]


def test_free_text_is_withheld_and_said_to_be():
    df = pd.DataFrame({"note": [note if i % 3 else None for i, note in enumerate(NOTES)], "y": [1, 2, 3] * 20})
    codec = TableCodec().fit(df)
    out = codec.decode(codec.encode(df))
    assert codec.schema_["note"].type == "text"
    assert out["note"].dropna().eq("<text>").all()
    assert out["note"].isna().equals(df["note"].isna())
    assert "free text" in codec.notices["note"]
    assert "patient" not in str(codec.state())


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (NOTES, "text"),
        (["x" * 100 + str(i) for i in range(60)], "text"),
        (NOTES[:2] * 30, "category"),
        ([f"room {i}" for i in range(60)], "identifier"),
        (NOTES[:10], "category"),
    ],
)
def test_what_is_taken_for_text(cells, found):
    assert TableCodec().fit(pd.DataFrame({"x": cells})).schema_["x"].type == found
