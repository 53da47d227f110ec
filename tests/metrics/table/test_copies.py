import numpy as np
import pandas as pd
import pytest

from synthloom.metrics.score import wilson
from synthloom.metrics.table.copies import _Nearest, copy_rate, dcr_share
from synthloom.metrics.table.read import read_tables


@pytest.fixture(scope="module")
def trio(people):
    return people(2000, 0), people(2000, 1), people(2000, 2)


def nudged(frame, by=0.002):
    rng = np.random.default_rng(5)
    numbers = frame.select_dtypes("number")
    return frame.assign(**(numbers + by * numbers.std().to_numpy() * rng.normal(size=numbers.shape)))


def test_the_alarms_are_calibrated_on_fresh_copied_and_nudged_rows(judge, trio):
    real, fresh, holdout = trio
    share = judge(dcr_share, real, fresh, holdout)
    assert share.value == pytest.approx(0.5, abs=0.03)
    assert share.reference == pytest.approx(0.5, abs=0.05)
    assert share.interval[0] < 0.5 < share.interval[1]
    assert judge(dcr_share, real, real, holdout).value >= 0.99
    assert judge(dcr_share, real, nudged(real), holdout).value >= 0.99
    assert judge(copy_rate, real, fresh, holdout).value <= judge(copy_rate, real, fresh, holdout).reference
    assert judge(copy_rate, real, real, holdout).value == 1
    assert judge(copy_rate, real, nudged(real), holdout).value == 0  # which is why one alarm is not enough


def test_half_copies_are_found_by_both(judge, trio):
    real, fresh, holdout = trio
    half = pd.concat([real.head(1000), fresh.head(1000)])
    assert judge(copy_rate, real, half, holdout).value == pytest.approx(0.5, abs=0.01)
    assert judge(dcr_share, real, half, holdout).value == pytest.approx(0.75, abs=0.03)


def test_half_is_ideal_however_unequal_the_tables(judge, trio):
    real, fresh, holdout = trio
    assert judge(dcr_share, real, fresh, holdout.head(400)).value == pytest.approx(0.5, abs=0.08)
    assert judge(dcr_share, real.head(400), fresh, holdout).value == pytest.approx(0.5, abs=0.08)


def test_ties_count_one_half(judge):
    frame = pd.DataFrame({"x": [1.0, 2.0] * 100, "k": ["a", "b"] * 100})
    assert judge(dcr_share, frame, frame, frame).value == 0.5


def test_copies_count_missing_cells_and_every_column(judge):
    real = pd.DataFrame({"x": [1.0, np.nan] * 150, "k": ["a", None] * 150})
    assert judge(copy_rate, real, real).value == 1
    assert judge(copy_rate, real, real.assign(x=real["x"].fillna(2.0))).value == 0.5
    assert judge(copy_rate, real, real.assign(k="b")).value == 0


def test_the_reference_of_copies_is_what_held_out_rows_do_by_nature(judge):
    real = pd.DataFrame({"k": ["a", "b"] * 150})
    score = judge(copy_rate, real, real, pd.DataFrame({"k": ["a", "c", "c"] * 100}))
    assert score.reference == pytest.approx(1 / 3)


def test_distances_are_those_of_the_definition(people, monkeypatch):
    real, other = (
        people(n, seed).mask(np.random.default_rng(seed).random((n, 10)) < 0.1) for n, seed in [(60, 0), (50, 1)]
    )
    (train, source), _ = read_tables({"real": real, "synthetic": other})
    monkeypatch.setattr("synthloom.metrics.table.copies._BLOCK", 7 * 60)  # several blocks, the last one short
    nearest, index = _Nearest(source, train).among(train)

    expected = np.zeros((50, 60))
    for name in real:
        a, b = other[name].to_numpy()[:, None], real[name].to_numpy()[None]
        missing_a, missing_b = pd.isna(a), pd.isna(b)
        if name in train.numbers:
            a, b = (np.where(pd.isna(v), np.nanmedian(real[name]), v).astype(float) for v in (a, b))
            expected += abs(a - b) / (real[name].max() - real[name].min()) + (missing_a != missing_b)
        else:
            expected += 2.0 * np.where(missing_a | missing_b, missing_a != missing_b, a != b)
    np.testing.assert_allclose(2 * nearest, expected.min(axis=1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(expected, index[:, None], 1)[:, 0], expected.min(axis=1), atol=1e-5)


def test_below_two_hundred_rows_there_is_no_number(judge, people):
    frames = [people(n, seed) for n, seed in [(199, 0), (300, 1), (300, 2)]]
    for metric in (copy_rate, dcr_share):
        for order in ([0, 1, 2], [1, 0, 2]):
            score = judge(metric, *(frames[i] for i in order))
            assert score.value is None
            assert "not available: below 200 rows" in score.about
    assert judge(dcr_share, *frames[1:], frames[0]).value is None
    assert "holdout" in judge(dcr_share, *frames[1:]).about


def test_no_real_value_is_in_a_score(judge, people):
    real, fresh, holdout = (people(250, seed).assign(k="secret") for seed in range(3))
    assert not any("secret" in judge(metric, real, fresh, holdout).about for metric in (copy_rate, dcr_share))


def test_wilson_intervals_cover_as_often_as_they_say():
    rng = np.random.default_rng(0)
    for share in (0.02, 0.5):
        covered = [low <= share <= high for low, high in (wilson(hits, 200) for hits in rng.binomial(200, share, 2000))]
        assert np.mean(covered) == pytest.approx(0.95, abs=0.03)
    assert wilson(0, 50)[0] == 0
    assert wilson(50, 50)[1] == pytest.approx(1)
