"""Ranges and sets as limits of what a network says: exactly the rows that meet them, whatever the column."""

import numpy as np
import pandas as pd
import pytest
import torch

from synthloom import datasets
from synthloom.codecs.columns import Options
from synthloom.codecs.conditions import Conditions, Demands, NoGaps, as_condition
from synthloom.codecs.table import TableCodec
from synthloom.errors import DataError, UsageError


@pytest.fixture(scope="module")
def real():
    frame = datasets.visits(1500, seed=0)
    rng = np.random.default_rng(0)
    frame["weight"] = rng.gamma(2, 3, len(frame)).astype("float32")
    frame["grade"] = pd.Categorical(
        rng.choice(["low", "mid", "high"], len(frame)), ["low", "mid", "high"], ordered=True
    )
    frame["when"] = (frame["admitted"] + pd.to_timedelta(rng.integers(0, 86400, len(frame)), "s")).dt.strftime(
        "%d/%m/%Y %H:%M:%S"
    )
    frame["wait"] = pd.to_timedelta(rng.integers(0, 5000, len(frame)), "min")
    return frame


@pytest.fixture(scope="module", params=["protected", "open", "gmm"])
def codec(request, real):
    options = {"protected": Options(common=20), "open": Options(protect=False), "gmm": Options(numbers="gmm")}
    return TableCodec(options[request.param]).fit(real)


def meet(demands, batch):
    """Which encoded rows keep to limits."""
    good = torch.ones(len(batch), dtype=torch.bool)
    for c in range(batch.choice_BC.shape[1]):
        if (limit := demands(c, batch)) is None:
            continue
        choice_B, value_B = batch.choice_BC[:, c], batch.value_BC[:, c].double()[:, None]
        part_BP = (choice_B[:, None] == limit.choice_BP) & (limit.low_BP < value_B) & (value_B < limit.high_BP)
        good &= limit.open_BK[0][choice_B] | part_BP.any(1)
    return good.numpy()


MOMENT = pd.to_datetime("2023-05-01 12:00")


@pytest.mark.parametrize(
    ("given", "truth"),
    [
        ({"age": (30, 40)}, lambda f: f["age"].between(30, 40)),
        ({"age": range(30, 41)}, lambda f: f["age"].between(30, 40)),
        ({"age": (29.5, None)}, lambda f: f["age"] >= 30),
        ({"cost": (None, 812.55)}, lambda f: f["cost"] <= 812.55),
        ({"cost": slice(500, 2000)}, lambda f: f["cost"].between(500, 2000)),
        ({"weight": (1.25, 7.5)}, lambda f: f["weight"].between(1.25, 7.5)),
        ({"days_in_hospital": [0, 3, 4]}, lambda f: f["days_in_hospital"].isin([0, 3, 4])),
        ({"blood_pressure": {120, 131}}, lambda f: f["blood_pressure"].isin([120, 131])),
        ({"ward": ["surgery", "oncology"]}, lambda f: f["ward"].isin(["surgery", "oncology"])),
        ({"grade": ("mid", None)}, lambda f: f["grade"] >= "mid"),
        ({"tumour_marker": None}, lambda f: f["tumour_marker"].isna()),
        ({"tumour_marker": (1.5, 2.5)}, lambda f: f["tumour_marker"].between(1.5, 2.5)),
        ({"tumour_marker": [None, 2.0]}, lambda f: f["tumour_marker"].isna() | (f["tumour_marker"] == 2.0)),
        ({"admitted": ("2023-02", "2023-05-10")}, lambda f: f["admitted"].between("2023-02-01", "2023-05-10")),
        ({"admitted": ("2024", None)}, lambda f: f["admitted"] >= "2024-01-01"),
        (
            {"when": (MOMENT, "2023-06-30")},
            lambda f: pd.to_datetime(f["when"], dayfirst=True).between(MOMENT, "2023-06-30 23:59:59"),
        ),
        ({"wait": (pd.Timedelta("1h"), pd.Timedelta("1D"))}, lambda f: f["wait"].between("1h", "1D")),
        ({"age": (50, 60), "ward": ["surgery"]}, lambda f: f["age"].between(50, 60)),
    ],
    ids=lambda value: None if callable(value) else str(value),
)
def test_limits_hold_exactly_the_rows_that_are_asked_for(codec, real, given, truth):
    conditions = Conditions(codec, given)
    seen = codec.decode(codec.encode(real, spread=False))  # what the codec makes of values that may not be given out
    good = meet(conditions, codec.encode(seen, spread=False))
    assert (good != truth(seen).to_numpy(bool)).mean() < 0.002
    assert 0 < good.sum() < len(real)
    if not any(isinstance(value, (list, set)) or value is None for value in given.values()):
        assert (conditions.holds(seen) == truth(seen).to_numpy(bool)).all()


def test_nothing_may_be_missing(codec, real):
    good = meet(Demands(NoGaps(codec)), codec.encode(real, spread=False))
    assert (good == real.notna().all(axis=1)).all()


@pytest.mark.parametrize(
    ("given", "error", "word"),
    [
        ({"age": (200, 300)}, DataError, "age"),
        ({"age": (40, 30)}, DataError, "40..30"),
        ({"age": None}, DataError, "gaps"),
        ({"age": []}, UsageError, "empty"),
        ({"age": (1, 2, 3)}, UsageError, "two ends"),
        ({"ward": ["garden", "surgery"]}, DataError, "garden"),
        ({"ward": ("a", "b")}, DataError, "list its values"),
        ({"grade": ("mid", "top")}, DataError, "top"),
        ({"patient_id": ["x"]}, DataError, "anew"),
        ({"nothing": (1, 2)}, DataError, "nothing"),
    ],
    ids=lambda value: None if callable(value) else str(value),
)
def test_what_cannot_be_is_refused_in_a_line(codec, given, error, word):
    with pytest.raises(error, match=word) as caught:
        Conditions(codec, given)
    assert "\n" not in str(caught.value)


def test_what_stands_for_a_gap_is_a_gap():
    for gap in (None, np.nan, pd.NaT, pd.NA):
        assert as_condition("x", gap) == as_condition("x", [gap]) == as_condition("x", None)


def test_columns_that_are_missing_together_obey_together():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=400), "b": rng.choice(["x", "y"], 400)}).mask(
        np.repeat(rng.random((400, 1)) < 0.3, 2, axis=1)
    )
    codec = TableCodec().fit(frame)
    batch = codec.encode(frame, spread=False)
    assert (meet(Conditions(codec, {"b": None}), batch) == frame["b"].isna()).all()
    assert (meet(Conditions(codec, {"b": ["x", "y"]}), batch) == frame["b"].notna()).all()
