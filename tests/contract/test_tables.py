"""What holds for every model of tables, besides what holds for every model."""

import pytest

import synthloom as sl
from synthloom.errors import DataError
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


def test_no_row_still_has_its_columns(fitted, real):
    assert (fitted.sample(0).dtypes == real.dtypes).all()


def test_identifiers_stay_unique_from_shard_to_shard(fitted):
    assert fitted.sample(12_000, seed=1)["patient_id"].is_unique


def test_row_verbs_keep_the_index(fitted, real):
    rows = real.head(5).set_axis(list("vwxyz"))
    assert list(fitted.reconstruct(rows).index) == list("vwxyz")
    assert len(fitted.log_prob(rows)) == len(fitted.encode(rows)) == 5
