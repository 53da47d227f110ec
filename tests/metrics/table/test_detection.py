import numpy as np
import pandas as pd
import pytest

from synthloom.metrics.table.detection import _folds, _indistinct, detection
from synthloom.metrics.table.read import read_tables


@pytest.fixture(scope="module")
def few(people):
    """Fewer rows, because trees take time."""
    return people(300, 0), people(300, 1), people(300, 2)


@pytest.fixture(scope="module")
def fresh_detection(judge, few):
    return judge(detection, *few)


def indistinct(first, second, columns=None):
    """What `detection` measures, without its yardsticks."""
    tables, _ = read_tables({"real": first, "synthetic": second}, columns)
    return _indistinct(_folds(*tables, 0))[:2]


def test_detection_finds_fresh_rows_good_and_shuffled_columns_bad(fresh_detection):
    assert fresh_detection.value > 0.8
    assert fresh_detection.baseline < 0.5


def test_detection_gives_copies_of_training_rows_no_credit_over_fresh_ones(fresh_detection):
    assert "held-out" in fresh_detection.about
    assert fresh_detection.reference == pytest.approx(fresh_detection.value, abs=0.2)  # training rows themselves


def test_detection_interval_holds_the_value(fresh_detection):
    low, high = fresh_detection.interval
    assert low <= fresh_detection.value <= high
    assert 0 < high - low < 0.5


def test_identical_data_cannot_be_told_apart(few):
    score, _ = indistinct(few[0], few[0].sample(frac=1, random_state=0))
    assert score > 0.95


def test_noise_missing_cells_and_invented_categories_can_be_told_apart(few, noise):
    real, fresh, _ = few
    gaps = fresh.mask(np.random.default_rng(0).random(fresh.shape) < 0.2)
    assert indistinct(real, noise(real))[0] < 0.1
    assert indistinct(real, gaps)[0] < 0.3
    assert indistinct(real, fresh.assign(region="x"))[0] < 0.02


def test_trees_take_more_categories_than_they_can_hold():
    rng = np.random.default_rng(0)
    real, fresh = (pd.DataFrame({"zip": rng.integers(0, 400, 900).astype(str)}) for _ in "ab")
    assert indistinct(real, fresh, {"categorical": ["zip"]})[0] > 0.8


def test_what_gives_it_away_is_told(few, judge):
    score = judge(detection, few[0], few[1].assign(height=few[1]["height"] + 15), few[2])
    drops = {entry["column"]: entry["drop"] for entry in score.detail["columns"]}
    assert set(drops) == set(few[0])
    assert max(drops, key=drops.get) == "height"
    assert drops["height"] > 5 * sorted(drops.values())[-2]
    assert score.detail["auc"] > 0.7
