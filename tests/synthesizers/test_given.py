"""Rows under a condition: whole rows that agree where many do, and codes that suit it where few do."""

import numpy as np
import pandas as pd
import pytest
import torch

from synthloom import TableSynthesizer, datasets
from synthloom.codecs.conditions import Conditions, Demands
from synthloom.rng import seeded
from synthloom.synthesizers.given import _agrees, draw_given


@pytest.fixture(scope="module", params=["nvae", "tvae"])
def fitted(request):
    return TableSynthesizer(request.param, seed=0, epochs=2).fit(datasets.visits(300, seed=0))


@pytest.fixture
def drawing(fitted, monkeypatch):
    """Draw rows under a condition, and count the codes that it takes."""
    net, counts = fitted.net_, []
    prior = net.prior
    monkeypatch.setattr(net, "prior", lambda n, *rest, **more: counts.append(n) or prior(n, *rest, **more))

    def draw(rows, each=16, **said):
        conditions = Conditions(fitted.codec_, said)
        cells = {name: fitted._raw(name, [value] * rows) for name, value in conditions.known.items()}
        given = fitted.codec_.encode(pd.DataFrame(cells), strict=True, partial=True, spread=False)
        counts.clear()
        with seeded("given"), torch.inference_mode():
            drawn, share = draw_given(
                net, given, Demands(conditions), conditions.first, learned=True, at_once=256, each=each
            )
        assert _agrees(drawn, given, Demands(conditions), conditions.first).all()
        return drawn, share, sum(counts)

    return draw


def test_what_many_rows_say_is_looked_for_in_whole_rows(drawing):
    drawn, share, codes = drawing(300, sex="f", age=(30, None))
    assert len(drawn) == 300
    assert share == 1
    assert codes < 300 * 16


def test_what_few_rows_say_is_given_up_soon_and_codes_are_chosen(drawing):
    rare = {"sex": "f", "ward": "paediatrics", "smoker": True, "age": (40, 41)}
    drawn, share, codes = drawing(100, **rare)
    assert len(drawn) == 100
    assert 0 < share < 1
    assert codes <= 256 + 16_384  # one look at whole rows, and a pool


def test_the_rest_is_as_in_whole_rows_that_agree(fitted, drawing):
    """What is chosen is `ward`; how `drug` and `smoker` go with it is left to the model."""
    drawn, share, _ = drawing(4_000, ward="surgery")
    assert share == 1
    free = fitted.sample(40_000, seed=3)
    free = free[free["ward"] == "surgery"]
    found = fitted.codec_.decode(drawn)
    for name in ("drug", "smoker", "sex"):
        one, other = (frame[name].value_counts(normalize=True) for frame in (found, free))
        assert np.abs(one.sub(other, fill_value=0)).max() < 0.03
    assert abs(found["age"].mean() - free["age"].mean()) < 1.0


def test_of_two_conditions_one_may_need_codes_and_the_other_none(fitted):
    """As many rows of each, so many that each group has a pool of its own."""
    sex, ward, smoker, age = ["f"] * 600, [None] * 300, [None] * 300, [None] * 300
    rare = {"ward": ward + ["paediatrics"] * 300, "smoker": smoker + [True] * 300, "age": age + [41] * 300}
    known = fitted.sample(given=pd.DataFrame({"sex": sex} | rare), seed=0)
    assert (known["sex"] == "f").all()
    assert (known["ward"][300:] == "paediatrics").all()
    assert 0 < fitted.given_share_ < 1
    assert known["ward"][:300].nunique() > 1
