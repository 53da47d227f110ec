"""What holds for every model of tables, besides what holds for every model."""

import numpy as np
import pandas as pd
import pytest

import synthloom as sl
from synthloom.errors import DataError, UsageError
from synthloom.models import MODELS

TABLES = [name for kind, name in MODELS if kind == "table"]


@pytest.fixture(scope="module")
def real():
    return sl.datasets.visits(400, seed=0)


@pytest.fixture(scope="module", params=TABLES)
def fitted(request, real):
    return sl.TableSynthesizer(request.param, seed=0, epochs=10, batch_size=100).fit(real)


def test_samples_look_like_the_real_table(fitted, real):
    fake = fitted.sample(500, seed=0)
    assert (fake.dtypes == real.dtypes).all()
    assert list(fake.columns) == list(real.columns)
    assert fake["patient_id"].is_unique
    assert not set(fake["patient_id"]) & set(real["patient_id"])
    assert abs(fake["tumour_marker"].isna().mean() - real["tumour_marker"].isna().mean()) < 0.15
    assert set(fake["ward"]) <= set(real["ward"])
    assert fake["age"].between(real["age"].min(), real["age"].max()).all()


def test_given_values_hold_in_every_row(fitted):
    for given in ({"ward": "surgery"}, {"age": 40}, {"smoker": True, "sex": "f"}, {"admitted": "2023-05-04"}):
        fake = fitted.sample(40, given=given, seed=0)
        for column, value in given.items():
            assert (fake[column] == value).all(), column


def test_given_rows_are_kept_one_for_one(fitted, real):
    given = real[["ward", "cost", "tumour_marker"]].head(30)
    fake = fitted.sample(given=given, seed=0)
    assert (fake["ward"].to_numpy() == given["ward"].to_numpy()).all()
    assert (fake["cost"].to_numpy() == given["cost"].to_numpy()).all()
    known = given["tumour_marker"].notna().to_numpy()
    assert (fake["tumour_marker"].to_numpy()[known] == given["tumour_marker"].to_numpy()[known]).all()


def test_impossible_conditions_are_refused_by_name(fitted):
    for given, word in (
        ({"ward": "garden"}, "ward"),
        ({"age": 400}, "age"),
        ({"nothing": 1}, "nothing"),
        ({"patient_id": "AB-123456"}, "patient_id"),
    ):
        with pytest.raises(DataError, match=word):
            fitted.sample(3, given=given)


def test_ranges_and_sets_hold_in_every_row(fitted):
    given = {
        "age": (30, 40),
        "ward": ["surgery", "oncology"],
        "cost": (None, 900.5),
        "admitted": ("2023-03", "2023-08-09"),
    }
    fake = fitted.sample(40, given=given, seed=0)
    assert fake["age"].between(30, 40).all()
    assert set(fake["ward"]) == {"surgery", "oncology"}
    assert (fake["cost"] <= 900.5).all()
    assert fake["admitted"].between("2023-03-01", "2023-08-09").all()
    several = fitted.sample(40, given={"cost": [250.5, 1_000], "tumour_marker": None, "sex": "f"}, seed=0)
    assert set(several["cost"]) <= {250.5, 1_000}
    assert several["tumour_marker"].isna().all()
    assert (fitted.sample(3, given={"days_in_hospital": [2]}, seed=0)["days_in_hospital"] == 2).all()


def test_gaps_are_filled_and_nothing_else_is_touched(fitted, real):
    rng = np.random.default_rng(0)
    whole = real.head(40).set_axis([f"row {i}" for i in range(40)])
    holed = whole.mask(rng.random(whole.shape) < 0.3)
    for how in ("draw", "best"):
        filled = fitted.impute(holed, how=how, seed=0)
        assert (filled.dtypes == holed.dtypes).all()
        assert filled.index.equals(holed.index)
        there = holed.notna()
        assert (filled.isna() == (holed.isna() & (holed.columns == "patient_id"))).all(axis=None)
        assert ((filled == holed) | ~there).all(axis=None)
        pd.testing.assert_frame_equal(fitted.impute(holed, how=how, seed=0), filled)
    assert filled["age"].between(real["age"].min(), real["age"].max()).all()
    several = fitted.impute(holed[["age", "ward"]], n=3, seed=0)
    assert several.index.names == ["draw", None]
    assert [len(part) for _, part in several.groupby(level="draw")] == [40, 40, 40]
    assert not several.loc[0].equals(several.loc[1])
    pd.testing.assert_frame_equal(
        fitted.impute(whole.drop(columns="tumour_marker")), whole.drop(columns="tumour_marker")
    )
    with pytest.raises(UsageError, match="how"):
        fitted.impute(holed, how="wish")


def test_no_row_still_has_its_columns(fitted, real):
    assert (fitted.sample(0).dtypes == real.dtypes).all()


def test_identifiers_stay_unique_from_shard_to_shard(fitted):
    assert fitted.sample(12_000, seed=1)["patient_id"].is_unique


def test_row_verbs_keep_the_index(fitted, real):
    rows = real.head(5).set_axis(list("vwxyz"))
    assert list(fitted.reconstruct(rows).index) == list("vwxyz")
    assert len(fitted.log_prob(rows)) == len(fitted.encode(rows)) == 5
