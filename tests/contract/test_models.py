"""One set of laws over every model there is. A new line in MODELS is tested the day it is written."""

import numpy as np
import pandas as pd
import pytest
import torch

import synthloom as sl
from synthloom.errors import DataError, NotFittedError, UsageError
from synthloom.models import MODELS
from synthloom.synthesizers import SYNTHESIZERS

TABLES = [name for kind, name in MODELS if kind == "table"]


@pytest.fixture(scope="module")
def real():
    return sl.datasets.visits(400, seed=0)


@pytest.fixture(scope="module", params=TABLES)
def fitted(request, real):
    return sl.TableSynthesizer(request.param, seed=0, epochs=10, batch_size=100).fit(real)


@pytest.mark.parametrize(("kind", "name"), list(MODELS))
def test_every_model_has_a_kind_a_text_and_a_text_per_knob(kind, name):
    model = MODELS[kind, name]
    assert (model.kind, model.name) == (kind, name)
    assert model.__doc__
    assert kind in SYNTHESIZERS
    for knob, field in model.model_fields.items():
        assert field.description, f"{name}.{knob} has no text"


@pytest.mark.parametrize("name", TABLES)
def test_one_seed_one_file_and_one_sample(name, real, tmp_path):
    """Bytes, not numbers: of the model file and of what it draws."""
    for run in ("a", "b", "c"):
        table = sl.TableSynthesizer(name, seed=1 if run == "c" else 0, epochs=2).fit(real)
        table.save(tmp_path / f"{run}.loom")
        table.sample(50, seed=3).to_csv(tmp_path / f"{run}.csv")
    assert (tmp_path / "a.loom").read_bytes() == (tmp_path / "b.loom").read_bytes()
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert (tmp_path / "a.loom").read_bytes() != (tmp_path / "c.loom").read_bytes()
    assert (tmp_path / "a.csv").read_bytes() != (tmp_path / "c.csv").read_bytes()


def test_without_a_seed_every_draw_is_new_and_every_fit_says_its_seed(fitted, real):
    assert not fitted.sample(50).equals(fitted.sample(50))
    one, two = (sl.TableSynthesizer(fitted.model.name, epochs=1).fit(real) for _ in range(2))
    assert one.info_["seed"] != two.info_["seed"]


def test_the_callers_random_streams_are_left_alone(fitted, real):
    torch.manual_seed(5)
    np.random.seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    fitted.sample(20)
    fitted.vary(real.head(2), 3, 0.5)
    fitted.log_prob(real.head(5))
    fitted.encode(real.head(5))
    fitted.reconstruct(real.head(5))
    sl.TableSynthesizer(fitted.model.name, epochs=1).fit(real)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()


def test_a_saved_model_draws_scores_and_remembers_alike(fitted, real, tmp_path):
    fitted.save(tmp_path / "m.loom")
    again = sl.load(tmp_path / "m.loom")
    pd.testing.assert_frame_equal(again.sample(100, seed=2), fitted.sample(100, seed=2))
    assert (again.log_prob(real) == fitted.log_prob(real)).all()
    assert again.info_ == fitted.info_
    assert list(again.history_["epoch"]) == list(fitted.history_["epoch"])
    again.save(tmp_path / "n.loom")
    assert (tmp_path / "n.loom").read_bytes() == (tmp_path / "m.loom").read_bytes()


def test_samples_look_like_the_real_table(fitted, real):
    fake = fitted.sample(500, seed=0)
    assert (fake.dtypes == real.dtypes).all()
    assert list(fake.columns) == list(real.columns)
    assert fake["patient_id"].is_unique
    assert not set(fake["patient_id"]) & set(real["patient_id"])
    assert abs(fake["tumour_marker"].isna().mean() - real["tumour_marker"].isna().mean()) < 0.15
    assert set(fake["ward"]) <= set(real["ward"])
    assert fake["age"].between(real["age"].min(), real["age"].max()).all()


def test_rows_do_not_depend_on_how_many_there_are(fitted):
    few, many = fitted.sample(5, seed=1), fitted.sample(12_000, seed=1)
    parts = pd.concat(list(fitted.stream(12_000, seed=1)))
    pd.testing.assert_frame_equal(parts, many)
    assert len(many) == 12_000
    assert many["patient_id"].is_unique
    assert list(few.columns) == list(many.columns)


def test_any_shard_can_be_made_alone(fitted):
    whole = fitted.sample(20_000, seed=4)
    alone = fitted.shard(1, 10_000, seed=4)
    pd.testing.assert_frame_equal(whole.iloc[10_000:], alone)


@pytest.mark.parametrize("n", [0, 1])
def test_no_row_and_one_row(fitted, real, n):
    fake = fitted.sample(n, seed=0)
    assert len(fake) == n
    assert (fake.dtypes == real.dtypes).all()


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


def test_the_ends_of_an_interpolation_are_the_reconstructions(fitted, real):
    way = fitted.interpolate(real.iloc[0], real.iloc[1], steps=4)
    ends = fitted.reconstruct(real.head(2))
    spoken = [c for c in real.columns if c != "patient_id"]
    pd.testing.assert_frame_equal(way.iloc[[0, 3]][spoken].reset_index(drop=True), ends[spoken].reset_index(drop=True))


def test_no_strength_is_the_reconstruction_and_full_strength_owes_the_row_nothing(fitted, real):
    rows = real.head(6)
    spoken = [c for c in real.columns if c != "patient_id"]
    still = fitted.vary(rows, 2, 0.0, seed=0)
    want = fitted.reconstruct(rows.loc[rows.index.repeat(2)])
    pd.testing.assert_frame_equal(still[spoken], want[spoken])
    one, other = (fitted.vary(real.iloc[[i]].reset_index(drop=True), 50, 1.0, seed=0) for i in (0, 1))
    pd.testing.assert_frame_equal(one[spoken], other[spoken])


def test_row_verbs_keep_the_index(fitted, real):
    rows = real.head(5).set_axis(list("vwxyz"))
    assert list(fitted.reconstruct(rows).index) == list("vwxyz")
    assert len(fitted.log_prob(rows)) == len(fitted.encode(rows)) == 5


def test_batch_mates_do_not_matter(fitted, real):
    together = fitted.encode(real.head(8))
    alone = np.concatenate([fitted.encode(real.iloc[[i]]) for i in range(8)])
    assert np.allclose(together, alone, atol=1e-5)


def test_scrambled_rows_are_less_likely(fitted, real):
    rng = np.random.default_rng(0)
    scrambled = real.apply(lambda column: column.to_numpy()[rng.permutation(len(real))]).astype(real.dtypes)
    assert fitted.log_prob(real).mean() > fitted.log_prob(scrambled).mean()


def test_before_fit_the_verbs_say_so(real):
    table = sl.TableSynthesizer("tvae")
    for verb in (lambda: table.sample(1), lambda: table.encode(real), lambda: table.save("x"), lambda: table.history_):
        with pytest.raises(NotFittedError, match="fit"):
            verb()


def test_misspelt_knobs_are_refused_with_the_likeliest_word():
    with pytest.raises(UsageError, match='"epochs"'):
        sl.TableSynthesizer("tvae", epoch=3)
    with pytest.raises(UsageError, match="tvae"):
        sl.TableSynthesizer("tvea")
    with pytest.raises(UsageError, match="batch_size"):
        sl.TableSynthesizer("tvae", batch_size=0)
    with pytest.raises(UsageError, match="seed"):
        sl.TableSynthesizer("tvae", seed="zero")


def test_too_large_is_refused_with_numbers_before_anything_is_allocated(real):
    with pytest.raises(Exception, match="GiB"):
        sl.TableSynthesizer("tvae", compress_dims=(400_000, 400_000)).fit(real)


@pytest.mark.parametrize("prior", ["mixture"])
def test_a_learned_prior_is_drawn_from_saved_and_can_be_passed_over(real, tmp_path, prior):
    table = sl.TableSynthesizer("tvae", seed=0, epochs=2, embedding_dim=4, prior=prior, max_time=5).fit(real)
    table.save(tmp_path / "m.loom")
    again = sl.load(tmp_path / "m.loom")
    pd.testing.assert_frame_equal(again.sample(50, seed=1), table.sample(50, seed=1))
    plain = table.sample(50, prior="standard", seed=1)
    assert not plain.equals(table.sample(50, seed=1))
    pd.testing.assert_frame_equal(again.sample(50, prior="standard", seed=1), plain)
    with pytest.raises(UsageError, match="prior"):
        table.sample(5, prior="wishful")
