import numpy as np
import pandas as pd
import pytest

from synthloom.metrics.table.pairs import trend_error, wnmi_error


@pytest.fixture(scope="module")
def trio(people):
    return people(800, 0), people(800, 1), people(800, 2)


X = [0.0, 1, 2, 3]


@pytest.mark.parametrize(
    ("real", "synthetic", "error"),
    [
        ((X, X), (X, X[::-1]), 100),  # correlations 1 and -1
        ((X, X), (X, [0.0, 1, 1, 0]), 50),
        ((X, X), (X, [0.0, 1, 2, None]), 0),  # over rows that hold both
        ((list("ab"), list("xy")), (list("aa"), list("xx")), 50),
        ((["a", None], list("xx")), (list("aa"), list("xx")), 50),  # a missing category is one of its own
        ((X, list("aabb")), ([x * 100 + 7 for x in X], list("aabb")), 0),  # each table has its own bins
        ((X, list("aabb")), (X, list("abab")), 50),
        (([0.0, 10], list("aa")), ([0.0, None], list("aa")), 50),  # 1st and 11th bin; middle and 11th
        (([5.0, 5], list("ab")), ([7.0, 7], list("ab")), 0),  # a constant is in the middle of its own bins
    ],
)
def test_trend_error_of_one_pair_by_hand(judge, real, synthetic, error):
    pairs = [dict(zip("ab", columns, strict=True)) for columns in (real, synthetic)]
    assert judge(trend_error, *pairs).value == pytest.approx(error, abs=1e-12)


def test_trend_error_is_the_mean_over_pairs_and_passes_constants_over(judge):
    real = {"a": X, "b": X, "c": [1.0] * 4}
    assert judge(trend_error, real, real | {"b": X[::-1]}).value == 100
    assert judge(trend_error, {"a": X}, {"a": X}).value is None
    assert judge(trend_error, {"a": X, "c": [1.0] * 4}, {"a": X, "c": [1.0] * 4}).value is None


def test_trend_error_keeps_its_precision_far_from_zero(judge):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 500))
    near = judge(trend_error, {"a": x, "b": x + y}, {"a": x, "b": x - y})
    far = judge(trend_error, {"a": x + 2.0**30, "b": x + y}, {"a": x + 2.0**30, "b": x - y})
    assert far.value == pytest.approx(near.value, rel=1e-5)


A, B = list("aabb"), list("abab")


@pytest.mark.parametrize(
    ("real", "synthetic", "error"),
    [
        ((A, A), (A, A), 0),
        ((A, A), (A, B), 1),  # dependence lost
        ((A, B), (A, A), 1),  # dependence invented
        ((A, B), (B, A), 0),
        ((A, list("cccc")), (A, list("cccc")), 0),
    ],
)
def test_wnmi_error_of_one_pair_by_hand(judge, real, synthetic, error):
    pairs = [dict(zip("ab", columns, strict=True)) for columns in (real, synthetic)]
    assert judge(wnmi_error, *pairs).value == pytest.approx(error, abs=1e-12)


def test_wnmi_error_is_weighted_by_dependence(judge):
    # NMI of (a, b): 1 and 0; of (a, c) and (b, c): 0 and 0, which have no weight
    real = {"a": list("aabb" * 2), "b": list("aabb" * 2), "c": list("ccccdddd")}
    synthetic = real | {"b": list("abab" * 2)}
    assert judge(wnmi_error, real, synthetic).value == pytest.approx(1)


def test_wnmi_error_bins_by_the_real_range(judge):
    x = np.linspace(0, 1, 40)
    real = {"x": x, "k": np.where(x > 0.5, "a", "b")}
    assert judge(wnmi_error, real, real).value == 0
    independent = judge(wnmi_error, real, real | {"x": [1.0] * 40}).value
    assert judge(wnmi_error, real, real | {"x": x + 100}).value == independent > 0.3  # all beyond: x says nothing of k
    assert judge(trend_error, real, real | {"x": x + 100}).value == pytest.approx(0)


def test_wnmi_error_agrees_with_another_implementation(judge):
    from sklearn.metrics import normalized_mutual_info_score

    rng = np.random.default_rng(0)
    frames = [pd.DataFrame({"x": rng.normal(size=200), "k": rng.choice(list("abc"), 200)}) for _ in range(2)]
    frames[0]["x"] += frames[0]["k"] == "a"
    edges = np.linspace(frames[0]["x"].min(), frames[0]["x"].max(), 11)
    real, other = (
        normalized_mutual_info_score(pd.cut(f["x"], edges, include_lowest=True).cat.codes, f["k"]) for f in frames
    )
    assert judge(wnmi_error, *frames).value == pytest.approx(abs(real - other), abs=1e-9)


@pytest.mark.parametrize(("metric", "times"), [(trend_error, 1.5), (wnmi_error, 5)])
def test_whoever_claims_to_see_dependence_sees_shuffled_columns(judge, metric, times, trio, shuffled):
    real, fresh, holdout = trio
    good, bad = judge(metric, real, fresh, holdout), judge(metric, real, shuffled(real), holdout)
    assert bad.value > times * good.value
    assert good.baseline == pytest.approx(bad.value, rel=0.1)


@pytest.mark.parametrize("metric", [trend_error, wnmi_error])
def test_fresh_rows_score_as_held_out_rows_do_and_better_than_noise(judge, metric, trio, noise):
    real, fresh, holdout = trio
    good, bad = judge(metric, real, fresh, holdout), judge(metric, real, noise(real), holdout)
    assert good.value == pytest.approx(good.reference, rel=0.6)
    assert bad.value > 4 * good.value


def test_the_details_have_every_pair(judge, trio):
    real, fresh, _ = trio
    trend, nmi = judge(trend_error, real, fresh), judge(wnmi_error, real, fresh)
    pairs = trend.detail["pairs"]
    assert len(pairs) == len(nmi.detail["real"]) == len(nmi.detail["value"]) == 45
    assert np.mean([pair["value"] for pair in pairs]) == pytest.approx(trend.value)
    names = nmi.detail["columns"]
    place = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]].index(("income", "school"))
    assert nmi.detail["real"][place] == pytest.approx(nmi.detail["value"][place], abs=0.1)
    assert nmi.detail["real"][place] > 5 * nmi.detail["real"][names.index("height")]
