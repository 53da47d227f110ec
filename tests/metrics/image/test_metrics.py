"""Metrics of images: good on held-out real images, bad on spoilt ones, and blind to nothing they claim to see."""

import numpy as np
import pytest

from synthloom import datasets
from synthloom.errors import DataError
from synthloom.evaluation import evaluate
from synthloom.metrics import METRICS
from synthloom.metrics.image import features
from synthloom.sources import Images

REAL, HELD, FRESH = (Images(*datasets.shapes(600, seed=seed, size=8)) for seed in range(3))


@pytest.fixture(scope="module", autouse=True)
def quickly():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "_STEPS", 80)
        yield


def brightness(levels):
    """Features that take no training."""
    pooled = np.asarray(levels, float).reshape(len(levels), 4, 2, 4, 2).mean(axis=(2, 4)).reshape(len(levels), 16)
    return pooled / 64


def judged(synthetic, holdout=HELD, **asked):
    return evaluate(REAL, synthetic, holdout, kind="image", progress=False, **{"features": brightness} | asked)


@pytest.fixture(scope="module")
def fresh():
    return judged(FRESH)


def test_every_metric_is_there_in_order_and_fresh_images_score_as_held_out_ones(fresh):
    assert [score.name for score in fresh] == list(METRICS["image"])
    for score in fresh:
        assert score.value is not None
        assert score.reference is not None
        near = 0.35 * abs(score.reference) + 0.08
        assert abs(score.value - score.reference) < near, score
        if score.interval is not None:
            assert score.interval[0] <= score.value <= score.interval[1]


def test_noise_is_bad_in_every_way():
    noise = Images(np.random.default_rng(0).integers(0, 256, FRESH.shape, dtype=np.uint8), FRESH.labels)
    spoilt = judged(noise)
    assert spoilt["frechet_distance"].value > 5 * spoilt["frechet_distance"].reference
    for name in ("precision", "recall", "coverage", "density"):
        assert spoilt[name].value < 0.2, name
    assert spoilt["utility"].value < spoilt["utility"].reference - 0.2


def test_a_lack_of_variety_is_seen_where_precision_is_high(fresh):
    one = judged(Images(np.asarray(FRESH)[:10].repeat(60, 0), np.array(FRESH.labels)[:10].repeat(60)))
    assert one["precision"].value > 0.8
    assert one["coverage"].value < 0.2
    assert one["recall"].value < 0.2 < fresh["recall"].value


def test_copies_ring_and_are_pointed_at(fresh):
    copies = np.asarray(FRESH).copy()
    copies[100:300] = np.asarray(REAL)[:200]
    found = judged(Images(copies))["copy_rate"]
    assert abs(found.value - 1 / 3) < 0.06
    assert fresh["copy_rate"].value < 0.05
    pairs = found.detail["pairs"]
    assert all((copies[pair["synthetic"]] == np.asarray(REAL)[pair["real"]]).all() for pair in pairs)


def test_wrong_labels_teach_wrongly():
    wrong = Images(FRESH, np.roll(FRESH.labels, 1))
    assert judged(wrong)["utility"].value < 0.6 < judged(FRESH)["utility"].value


def test_without_labels_features_are_learnt_from_flips_and_there_is_no_utility():
    plain = [np.asarray(images)[:200] for images in (REAL, FRESH, HELD)]
    scores = evaluate(plain[0], plain[1], plain[2], kind="image", progress=False)
    assert scores["utility"].value is None
    assert scores["coverage"].value > 0.5
    noise = np.random.default_rng(0).integers(0, 256, plain[0].shape, dtype=np.uint8)
    spoilt = evaluate(plain[0], noise, plain[2], kind="image", progress=False)
    assert spoilt["frechet_distance"].value > 5 * scores["frechet_distance"].value


def test_without_a_holdout_there_are_no_references(fresh):
    scores = judged(FRESH, None)
    assert all(score.reference is None for score in scores)
    assert scores["frechet_distance"].value == fresh["frechet_distance"].value  # and a seed is a seed


def test_the_frechet_distance_is_that_of_the_gaussians():
    rng = np.random.default_rng(0)
    one, other = rng.normal(0, 1, (600, 1)), rng.normal(3, 2, (600, 1))
    numbers = {600: iter([one, other])}
    found = evaluate(
        np.zeros((600, 2, 2)), np.zeros((600, 2, 2)), kind="image", features=lambda x: next(numbers[len(x)])
    )
    exact = (one.mean() - other.mean()) ** 2 + (one.std(ddof=1) - other.std(ddof=1)) ** 2
    assert abs(found["frechet_distance"].value - exact) < 1e-6


def test_what_cannot_be_judged_is_said():
    few = judged(np.asarray(FRESH)[:20])
    assert all(score.value is None and "20" in score.about for score in few if score.name != "utility")
    with pytest.raises(DataError, match=r"8 x 8 x 1 .* 4 x 8 x 1"):
        judged(np.asarray(FRESH)[:, :4])
    with pytest.raises(DataError, match="features"):
        judged(FRESH, features=lambda levels: np.zeros(3))
