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


def test_balanced_columns_have_the_shares_that_were_asked_for(fitted):
    fake = fitted.sample(50, balance={"readmitted": "even", "ward": {"surgery": 0.7, "oncology": 0.3}}, seed=0)
    assert fake["readmitted"].value_counts().to_dict() == {"yes": 25, "no": 25}
    assert fake["ward"].value_counts().to_dict() == {"surgery": 35, "oncology": 15}
    assert fake["ward"].iloc[:35].nunique() == 2  # in no order
    for wrong, word in (
        ({"ward": {"surgery": 0.7}}, "add up"),
        ({"age": "even"}, "categories"),
        ({"ward": 3}, "share"),
    ):
        with pytest.raises((UsageError, DataError), match=word):
            fitted.sample(5, balance=wrong)


RULES = [
    "days_in_hospital * 180 <= cost or cost >= 180",
    "18 <= age <= 90 and blood_pressure > age",
    "not (ward == 'paediatrics' and drug == 'opioid')",
    "fixed(ward, sex)",
    "unique(age, cost)",
]


@pytest.fixture(scope="module", params=TABLES)
def ruled(request, real):
    grown = real[real["age"].between(18, 90) & ~((real["ward"] == "paediatrics") & (real["drug"] == "opioid"))]
    return sl.TableSynthesizer(request.param, seed=0, epochs=2, batch_size=100, rules=RULES).fit(grown)


def test_rules_hold_in_every_row_whatever_is_asked_for(ruled, real, tmp_path):
    ruled.save(tmp_path / "m.loom")
    again = sl.load(tmp_path / "m.loom")
    assert again.info_["rules"] == RULES
    holed = real[real["age"].between(18, 90)].head(30).assign(age=np.nan, ward=None, cost=np.nan)
    for model in (ruled, again):
        for fake in (
            model.sample(100, seed=1),
            model.sample(60, given={"age": (80, 99)}, seed=1),
            model.sample(40, balance={"drug": {"opioid": 0.5, "none": 0.5}}, seed=1),
            model.impute(holed, seed=1),
        ):
            assert fake["age"].between(18, 90).all()
            assert (fake["blood_pressure"] > fake["age"]).all()
            assert not ((fake["ward"] == "paediatrics") & (fake["drug"] == "opioid")).any()
            assert not fake.duplicated(["age", "cost"]).any()
            assert 0 < model.kept_share_ <= 1
    best = ruled.impute(holed, how="best", seed=1)
    assert (best["blood_pressure"] > best["age"]).all()
    assert len(ruled.impute(holed[["age", "cost"]], n=3, seed=1)) == 90  # rows that were equal may stay so
    with pytest.raises(DataError, match="18 <= age"):
        ruled.impute(holed.assign(age=7))
    pd.testing.assert_frame_equal(again.sample(30, seed=2), ruled.sample(30, seed=2))


def test_rules_that_cannot_be_kept_end_in_a_line(real):
    table = sl.TableSynthesizer("tvae", seed=0, epochs=1, rules=["unique(ward)", lambda df: df["age"] > 18]).fit
    with pytest.raises(DataError, match="unique"):
        table(real)
    table = sl.TableSynthesizer("tvae", seed=0, epochs=1, rules=[lambda df: df["age"] > 17]).fit(real)
    assert (table.sample(50, seed=0)["age"] > 17).all()
    with pytest.raises(UsageError, match="words"):
        table.save("never.loom")
    with pytest.raises(DataError, match="reach"):
        table.sample(5, given={"age": 3})


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


def test_a_row_read_back_is_nearer_to_the_row_than_others_are(fitted, real):
    """... And the farther, the stronger it is varied: a code without chance must still be one that can be read."""
    rows = real.head(150).reset_index(drop=True)

    def agreeing(other):
        names = "ward", "sex", "smoker", "drug", "readmitted"
        return np.mean([(rows[name] == other[name].reset_index(drop=True)).mean() for name in names])

    back, far = agreeing(fitted.reconstruct(rows)), agreeing(fitted.vary(rows, 1, 1.0, seed=0))
    assert back > agreeing(fitted.vary(rows, 1, 0.6, seed=0)) > far
    assert back > far + 0.05


def test_row_verbs_keep_the_index(fitted, real):
    rows = real.head(5).set_axis(list("vwxyz"))
    assert list(fitted.reconstruct(rows).index) == list("vwxyz")
    assert len(fitted.log_prob(rows)) == len(fitted.encode(rows)) == 5
