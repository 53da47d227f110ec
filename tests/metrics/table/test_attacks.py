import numpy as np
import pandas as pd
import pytest

from synthloom.errors import UsageError
from synthloom.metrics.table.attribute import attribute_inference
from synthloom.metrics.table.copies import copy_rate, dcr_share
from synthloom.metrics.table.membership import membership_auc, membership_outliers
from synthloom.metrics.table.shadow import shadow_membership

ATTACKS = [membership_auc, membership_outliers, attribute_inference]


@pytest.fixture(scope="module")
def trio(people):
    return people(2000, 0), people(2000, 1), people(2000, 2)


def nudged(frame, by=0.1):
    """A noisy copy: numbers moved by a tenth of their spread, categories as they were."""
    rng = np.random.default_rng(5)
    numbers = frame.select_dtypes("number")
    return frame.assign(**(numbers + by * numbers.std().to_numpy() * rng.normal(size=numbers.shape)))


def test_fresh_rows_give_nobody_away(judge, trio):
    assert judge(dcr_share, *trio).value == pytest.approx(0.5, abs=0.03)
    auc = judge(membership_auc, *trio)
    assert auc.value == pytest.approx(0.5, abs=0.05)
    assert auc.detail["caught_at_1_percent"] < 0.03
    outliers = judge(membership_outliers, *trio)
    assert outliers.value == pytest.approx(0.5, abs=0.1)
    assert outliers.interval[0] < 0.5
    low, high = judge(attribute_inference, *trio).detail["gap_interval"]
    assert low < 0 < high
    assert high - low < 0.06


def test_a_copy_gives_everybody_away(judge, trio):
    real, _, holdout = trio
    assert judge(dcr_share, real, real, holdout).value >= 0.99
    assert judge(copy_rate, real, real, holdout).value == 1
    for attack in ATTACKS:
        score = judge(attack, real, real, holdout)
        assert score.value >= 0.95
        assert score.reference < 0.8


def test_a_noisy_copy_is_caught_by_more_than_two_and_passes_the_first(judge, trio):
    real, _, holdout = trio
    noisy = nudged(real)
    assert judge(copy_rate, real, noisy, holdout).value == 0
    caught = {
        metric: judge(metric, real, noisy, holdout) for metric in (dcr_share, membership_auc, membership_outliers)
    }
    assert all(score.interval[0] > 0.6 for score in caught.values())
    assert judge(attribute_inference, real, noisy, holdout).detail["gap_interval"][0] > 0.1


@pytest.mark.parametrize("sizes", [(2000, 2000, 500), (500, 2000, 2000)])
def test_the_calibration_holds_whatever_the_sizes(judge, trio, sizes):
    real, fresh, holdout = (frame.head(n) for frame, n in zip(trio, sizes, strict=True))
    share = judge(dcr_share, real, fresh, holdout)
    assert share.interval[0] < 0.5 < share.interval[1]
    assert judge(dcr_share, real, real, holdout).value >= 0.99
    assert judge(membership_auc, real, fresh, holdout).value == pytest.approx(0.5, abs=0.08)
    assert judge(membership_auc, real, real, holdout).value >= 0.95


def test_outliers_that_alone_are_copied_hardly_move_the_mean(judge, trio):
    real, fresh, holdout = trio
    numbers = real.select_dtypes("number")
    out = ((numbers - numbers.median()) / numbers.std()).abs().sum(axis=1)
    far = out > out.quantile(0.92)
    leak = pd.concat([fresh.iloc[: -int(far.sum())], real[far]])
    mean, worst = (judge(attack, real, leak, holdout) for attack in (membership_auc, membership_outliers))
    assert mean.value < 0.58
    assert worst.value > mean.value + 0.1


def test_the_secret_is_guessed_as_well_as_the_population_gives_it_away(judge, trio):
    score = judge(attribute_inference, *trio)
    by_column = {entry["column"]: entry for entry in score.detail["columns"]}
    assert set(by_column) == set(trio[0])
    assert by_column["school"]["value"] > by_column["school"]["baseline"] + 0.2  # it follows from the rest
    assert by_column["height"]["value"] == pytest.approx(by_column["height"]["baseline"], abs=0.06)  # it does not
    assert score.detail["gap"] == pytest.approx(score.value - score.reference)


def test_a_missing_secret_is_guessed_by_a_missing_one(judge):
    rng = np.random.default_rng(0)
    real, fresh, holdout = (
        pd.DataFrame({"k": kind, "x": np.where(kind == "a", np.nan, rng.normal(size=400))})
        for kind in rng.choice(["a", "b"], (3, 400))
    )
    columns = {entry["column"]: entry for entry in judge(attribute_inference, real, fresh, holdout).detail["columns"]}
    assert columns["k"]["value"] == 1
    missing = real["x"].isna().mean()
    assert missing < columns["x"]["value"] < missing + 0.12  # the others by chance: 5 % on either side


@pytest.mark.parametrize("attack", ATTACKS)
def test_below_two_hundred_rows_or_without_a_holdout_there_is_no_number(judge, people, attack):
    frames = [people(n, seed) for n, seed in [(199, 0), (300, 1), (300, 2)]]
    for order in ([0, 1, 2], [1, 0, 2], [1, 2, 0]):
        score = judge(attack, *(frames[i] for i in order))
        assert score.value is None
        assert "not available: below 200 rows" in score.about
    assert "holdout" in judge(attack, *frames[1:]).about


# -- shadow models ----------------------------------------------------------------------------------------------------


def test_shadow_models_catch_who_copies_and_spare_who_learns(people):
    real = people(400, 0)
    caught = shadow_membership(lambda rows, seed: nudged(rows, 0.05), real, models=4)
    assert caught.value >= 0.85
    assert caught.detail["outliers"] >= 0.9
    spared = shadow_membership(lambda rows, seed: people(len(rows), 100 + seed), real, models=6)
    assert spared.value == pytest.approx(0.5, abs=0.05)


def test_shadow_models_are_trained_on_halves_and_each_record_is_in_half_of_them(people):
    real, seen = people(300, 0), []

    def fit_and_sample(rows, seed):
        seen.append(set(rows["height"]))
        return people(len(rows), seed + 1)

    shadow_membership(fit_and_sample, real, models=4)
    assert len(seen) == 4
    assert {sum(height in part for part in seen) for height in real["height"]} == {2}


def test_shadow_models_need_a_few_of_them_and_rows_enough(people):
    with pytest.raises(UsageError, match="models"):
        shadow_membership(lambda rows, seed: rows, people(300, 0), models=2)
    assert shadow_membership(lambda rows, seed: rows, people(199, 0)).value is None
