import numpy as np
import pandas as pd
import pytest

from synthloom.metrics.table.points import nearest, place, ranks, spans
from synthloom.metrics.table.read import read_tables
from synthloom.metrics.table.support import alpha_precision, beta_recall


@pytest.fixture(scope="module")
def trio(people):
    return people(1000, 0), people(1000, 1), people(1000, 2)


def by_the_definition(real, other):
    """Alpha-precision and beta-recall of two matrices, straight from the paper's formulas."""
    levels = np.linspace(0, 1, 30)
    to_real, to_other = (np.linalg.norm(real[:, None] - x[None], axis=2) for x in (real, other))
    np.fill_diagonal(to_real, np.inf)
    middle = real.mean(axis=0)
    out = np.linalg.norm(real - middle, axis=1)
    inside = [np.mean(np.linalg.norm(other - middle, axis=1) <= np.quantile(out, level)) for level in levels]
    closest = to_other.argmin(axis=1)
    covered = to_other.min(axis=1) <= to_real.min(axis=1)
    far = np.linalg.norm(other - other.mean(axis=0), axis=1)[closest]
    reached = [np.mean(covered & (far <= np.quantile(far, level))) for level in levels]
    return [1 - np.abs(levels - curve).sum() / levels.sum() for curve in (inside, reached)]


def test_both_are_what_the_paper_defines(judge, people):
    real, other = people(300, 0), people(300, 1)
    frames = {"real": real, "synthetic": other}
    both = pd.concat(frames.values())
    numbers = both.select_dtypes("number")
    scaled = (numbers - real[numbers.columns].min()) / (real[numbers.columns].max() - real[numbers.columns].min())
    matrix = pd.concat([scaled, pd.get_dummies(both.drop(columns=numbers.columns)).astype(float)], axis=1).to_numpy()
    precision, recall = by_the_definition(matrix[:300], matrix[300:])
    assert judge(alpha_precision, real, other).value == pytest.approx(precision, abs=2e-3)
    assert judge(beta_recall, real, other).value == pytest.approx(recall, abs=2e-3)


def test_fresh_rows_score_as_held_out_rows_do(judge, trio):
    for metric in (alpha_precision, beta_recall):
        score = judge(metric, *trio)
        assert score.value == pytest.approx(score.reference, abs=0.06)
        assert score.interval[0] < score.value < score.interval[1]
        assert score.interval[1] - score.interval[0] < 0.2


def test_each_sees_what_it_claims_to_see(judge, trio, noise, shuffled):
    real, fresh, holdout = trio
    core = fresh[(fresh["income"] < fresh["income"].median()) & (fresh["age"] < 50)]
    core = core.sample(len(real), replace=True, random_state=0)
    for bad in (noise(real), core):
        assert (
            judge(alpha_precision, real, bad, holdout).value < judge(alpha_precision, real, fresh, holdout).value - 0.05
        )
    for bad in (noise(real), shuffled(real), core):
        assert judge(beta_recall, real, bad, holdout).value < judge(beta_recall, real, fresh, holdout).value - 0.1


def test_neither_sees_copying_and_recall_even_likes_it(judge, trio):
    real, _, holdout = trio
    assert judge(alpha_precision, real, real, holdout).value > 0.98
    assert judge(beta_recall, real, real, holdout).value > 0.9
    assert "copying" in judge(alpha_precision, *trio).about
    assert "copies 1" in judge(beta_recall, *trio).about


# -- points -----------------------------------------------------------------------------------------------------------


def tables(**frames):
    return read_tables({where: pd.DataFrame(frame) for where, frame in frames.items()})[0]


def test_squared_distances_are_sums_over_columns():
    (real,) = tables(real={"x": [0.0, 5.0, 10.0], "g": [1.0, None, 2.0], "k": ["a", "b", None]})
    (point_ND,) = place(real, real).tables
    square_NN = ((point_ND[:, None] - point_ND[None]) ** 2).sum(axis=2)
    assert square_NN[0, 2] == pytest.approx(1 + 1 + 2)
    assert square_NN[0, 1] == pytest.approx(0.5**2 + (0.5**2 + 1) + 2)  # a missing number is at the median


def test_very_many_categories_are_about_as_far_apart_as_one_hot_codes():
    (real,) = tables(real={"zip": [f"{i % 300:05}" for i in range(3000)]})
    (point_ND,) = place(real, real).tables
    square_NN = ((point_ND[:300, None] - point_ND[None, :300]) ** 2).sum(axis=2)
    assert (point_ND[0] == point_ND[300]).all()
    apart = square_NN[~np.eye(300, dtype=bool)]
    assert apart.mean() == pytest.approx(2, abs=0.05)
    assert apart.std() < 0.3
    assert point_ND.shape[1] == 64


def test_scales_put_real_numbers_between_nought_and_one():
    real_N = np.array([1.0, 1.0, 2.0, 1000.0])
    assert spans(real_N, real_N).tolist() == [0, 0, pytest.approx(1 / 999), 1]
    assert ranks(real_N, real_N).tolist() == [0.25, 0.25, 0.625, 0.875]
    assert ranks(real_N, np.array([0.0, 5000.0])).tolist() == [0, 1]


def test_the_nearest_is_the_nearest_and_never_itself():
    rng = np.random.default_rng(0)
    source, target = (rng.integers(0, 6, (n, 4)).astype(np.float32) for n in (90, 70))
    distance, index = nearest(source, target)
    expected = np.linalg.norm(source[:, None] - target[None], axis=2)
    np.testing.assert_allclose(distance, expected.min(axis=1), atol=1e-6)
    np.testing.assert_allclose(expected[np.arange(90), index], expected.min(axis=1), atol=1e-6)
    distance, index = nearest(source, source, itself=True)
    expected = np.linalg.norm(source[:, None] - source[None], axis=2)
    np.fill_diagonal(expected, np.inf)
    np.testing.assert_allclose(distance, expected.min(axis=1), atol=1e-6)
    assert (index != np.arange(90)).all()
