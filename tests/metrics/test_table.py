import math

import numpy as np
import pandas as pd
import pytest

from synthloom.metrics import METRICS, Context
from synthloom.metrics.columns import read_tables
from synthloom.metrics.table import (
    _find_target,
    _indistinct,
    detection,
    shape_error,
    trend_error,
    utility,
    utility_real,
    wnmi_error,
)


def judge(metric, real, synthetic, holdout=None, columns=None, **context):
    frames = {"real": pd.DataFrame(real), "synthetic": pd.DataFrame(synthetic)}
    if holdout is not None:
        frames["holdout"] = pd.DataFrame(holdout)
    tables, _ = read_tables(frames, columns)
    return metric(*tables[:2], tables[2] if holdout is not None else None, Context(**context))


@pytest.fixture(scope="module")
def trio(people):
    return people(800, 0), people(800, 1), people(800, 2)


@pytest.fixture(scope="module")
def few(people):
    """Fewer rows, because trees take time."""
    return people(300, 0), people(300, 1), people(300, 2)


@pytest.fixture(scope="module")
def fresh_detection(few):
    return judge(detection, *few)


def indistinct(first, second):
    """What `detection` measures, without its yardsticks."""
    tables, _ = read_tables({"real": first, "synthetic": second})
    return _indistinct(*tables, 0)


# -- by hand ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("real", "synthetic", "error"),
    [
        ([1.0, 2, 3, 4], [1.0, 2, 3, 3], 25),
        ([1.0, 2], [3.0, 4], 100),
        ([1.0, 2, None], [1.0, 1, 2, 2], 0),  # the missing cell is left out
        (list("aabb"), list("abbb"), 25),
        (["a", "b", None, None], list("ab"), 0),
        ([1, 2, 2, 2], [1, 2], 25),
        (pd.to_datetime(["2020", "2021"]), pd.to_datetime(["2020", "2020"]), 50),
        ([True, False], [True, True], 50),
    ],
)
def test_shape_error_of_one_column_by_hand(real, synthetic, error):
    assert judge(shape_error, {"x": real}, {"x": synthetic}).value == pytest.approx(error, abs=1e-12)


def test_a_category_that_the_real_table_lacks_counts_a_millionth_there():
    score = judge(shape_error, {"x": list("aa")}, {"x": list("az")})
    assert score.value == pytest.approx(50 * (abs(2 / 2.000001 - 0.5) + abs(1e-6 / 2.000001 - 0.5)), abs=1e-12)


def test_shape_error_is_the_mean_over_columns_that_hold_anything():
    real = {"a": [1.0, 2], "b": list("xy"), "void": [None, None]}
    assert judge(shape_error, real, {"a": [3.0, 4], "b": list("xy"), "void": [None, None]}).value == 50
    assert judge(shape_error, {"void": [None]}, {"void": [None]}).value is None


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
def test_trend_error_of_one_pair_by_hand(real, synthetic, error):
    pairs = [dict(zip("ab", columns, strict=True)) for columns in (real, synthetic)]
    assert judge(trend_error, *pairs).value == pytest.approx(error, abs=1e-12)


def test_trend_error_is_the_mean_over_pairs_and_passes_constants_over():
    real = {"a": X, "b": X, "c": [1.0] * 4}
    assert judge(trend_error, real, real | {"b": X[::-1]}).value == 100
    assert judge(trend_error, {"a": X}, {"a": X}).value is None
    assert judge(trend_error, {"a": X, "c": [1.0] * 4}, {"a": X, "c": [1.0] * 4}).value is None


def test_trend_error_keeps_its_precision_far_from_zero():
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
def test_wnmi_error_of_one_pair_by_hand(real, synthetic, error):
    pairs = [dict(zip("ab", columns, strict=True)) for columns in (real, synthetic)]
    assert judge(wnmi_error, *pairs).value == pytest.approx(error, abs=1e-12)


def test_wnmi_error_is_weighted_by_dependence():
    # NMI of (a, b): 1 and 0; of (a, c) and (b, c): 0 and 0, which have no weight
    real = {"a": list("aabb" * 2), "b": list("aabb" * 2), "c": list("ccccdddd")}
    synthetic = real | {"b": list("abab" * 2)}
    assert judge(wnmi_error, real, synthetic).value == pytest.approx(1)


def test_wnmi_error_bins_by_the_real_range():
    x = np.linspace(0, 1, 40)
    real = {"x": x, "k": np.where(x > 0.5, "a", "b")}
    assert judge(wnmi_error, real, real).value == 0
    independent = judge(wnmi_error, real, real | {"x": [1.0] * 40}).value
    assert judge(wnmi_error, real, real | {"x": x + 100}).value == independent > 0.3  # all beyond: x says nothing of k
    assert judge(trend_error, real, real | {"x": x + 100}).value == pytest.approx(0)


def test_wnmi_error_agrees_with_another_implementation():
    from sklearn.metrics import normalized_mutual_info_score

    rng = np.random.default_rng(0)
    frames = [pd.DataFrame({"x": rng.normal(size=200), "k": rng.choice(list("abc"), 200)}) for _ in range(2)]
    frames[0]["x"] += frames[0]["k"] == "a"
    edges = np.linspace(frames[0]["x"].min(), frames[0]["x"].max(), 11)
    real, other = (
        normalized_mutual_info_score(pd.cut(f["x"], edges, include_lowest=True).cat.codes, f["k"]) for f in frames
    )
    assert judge(wnmi_error, *frames).value == pytest.approx(abs(real - other), abs=1e-9)


# -- laws -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", [shape_error, trend_error, wnmi_error])
def test_identical_data_has_no_error(metric, trio):
    score = judge(metric, trio[0], trio[0])
    assert score.value == 0
    assert score.reference is None


ERRORS = [shape_error, trend_error, wnmi_error]


@pytest.mark.parametrize("metric", ERRORS)
def test_fresh_rows_score_as_held_out_rows_do_and_better_than_noise(metric, trio, noise):
    real, fresh, holdout = trio
    good, bad = judge(metric, real, fresh, holdout), judge(metric, real, noise(real), holdout)
    assert good.value == pytest.approx(good.reference, rel=0.6)
    assert bad.value > 4 * good.value


@pytest.mark.parametrize(("metric", "times"), [(trend_error, 1.5), (wnmi_error, 5)])
def test_whoever_claims_to_see_dependence_sees_shuffled_columns(metric, times, trio, shuffled):
    real, fresh, holdout = trio
    good, bad = judge(metric, real, fresh, holdout), judge(metric, real, shuffled(real), holdout)
    assert bad.value > times * good.value
    assert good.baseline == pytest.approx(bad.value, rel=0.1)


def test_shape_alone_proves_nothing(trio):
    assert judge(shape_error, *trio).baseline == 0


@pytest.mark.parametrize("metric", [shape_error, trend_error, wnmi_error])
def test_the_reference_is_the_holdout_in_the_synthetic_tables_place(metric, trio):
    real, fresh, holdout = trio
    assert judge(metric, real, fresh, holdout).reference == judge(metric, real, holdout).value


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
    assert indistinct(real, fresh)[0] > 0.8


@pytest.mark.parametrize("target", ["school", "score"])
def test_utility_of_fresh_rows_is_that_of_real_rows_and_shuffled_rows_have_none(target, few, shuffled):
    real, fresh, holdout = few
    good, bad = (judge(utility, real, s, holdout, target=target) for s in (fresh, shuffled(real)))
    assert good.value == pytest.approx(good.reference, abs=0.1)
    assert good.interval[0] < good.value < good.interval[1]
    assert bad.value < good.value - 0.2
    assert bad.value < (0.2 if target == "score" else 0.7)


def test_the_reference_of_utility_is_utility_real(people):
    trio = [people(100, seed) for seed in range(3)]
    yardstick = judge(utility_real, *trio)
    assert yardstick.value == yardstick.reference == judge(utility, *trio).reference
    assert judge(utility_real, trio[0], trio[2], trio[2]).value == yardstick.value  # whatever the synthetic rows


def test_utility_of_one_class_only_is_a_guess(few):
    real, fresh, holdout = few
    assert judge(utility, real, fresh.assign(owner="yes"), holdout, target="owner").value == 0.5


def test_the_target_is_the_last_column_of_few_classes_or_else_the_last_number(people):
    def found(frame):
        (table,), _ = read_tables({"real": frame})
        return _find_target(table)[0]

    frame = people(100, 0)
    assert found(frame) == "owner"
    assert found(frame[["owner", "age"]]) == "owner"
    assert found(frame[["age", "score", "hours"]].assign(one=1.0)) == "hours"
    assert found(frame[["owner", "age"]].assign(sick=(frame["score"] > 0).astype(int), zip=frame.index // 2)) == "sick"
    assert found(frame[[]].assign(one="a")) is None


def test_utility_says_what_it_predicts_and_why(people):
    trio = [people(60, seed) for seed in range(3)]
    assert "AUC for 'owner' (the last column with 2 to 20 classes)" in judge(utility, *trio).about
    assert "R2 for 'age' (as asked)" in judge(utility, *trio, target="age").about


@pytest.mark.parametrize(
    ("kept", "target"),
    [(["sex"], "sex"), (["height", "zip"], "zip"), (["height", "one"], "one"), (["height", "void"], "void")],
)
def test_utility_is_not_available_where_nothing_can_be_learnt(kept, target, people):
    trio = [
        people(100, seed).assign(zip=[f"z{i % 60}" for i in range(100)], one="z", void=np.nan)[kept]
        for seed in range(3)
    ]
    score = judge(utility, *trio, target=target)
    assert score.value is None
    assert score.about.startswith("not available")


def test_a_holdout_is_needed_for_utility_and_enough_rows_for_trees(people):
    real, fresh, holdout = (people(40, seed) for seed in range(3))
    assert "holdout" in judge(utility, real, fresh).about
    for metric in (detection, utility, utility_real):
        score = judge(metric, real, fresh, holdout)
        assert score.value is None
        assert "below 50 rows" in score.about


# -- every metric of the table ----------------------------------------------------------------------------------------

n = 240
rng = np.random.default_rng(0)
ODD = {
    "numbers": pd.DataFrame({"x": rng.normal(size=n), "y": rng.normal(size=n)}),
    "missing": pd.DataFrame({"x": np.where(rng.random(n) < 0.5, np.nan, 1.5), "k": rng.choice(["a", None], n)}),
    "dates": pd.DataFrame({"t": pd.Timestamp("2020") + pd.to_timedelta(rng.integers(0, 9**9, n), "s"), "k": "a"}),
    "constants": pd.DataFrame({"x": 3.0, "day": pd.Timestamp("2020"), "k": "a"}, index=range(n)),
    "void": pd.DataFrame({"x": np.nan, "k": pd.Series([None] * n, dtype=object)}),
    "one void column": pd.DataFrame({"x": np.nan}, index=range(n)),
    "one category": pd.DataFrame({"k": rng.choice(["a", "b"], n)}),
    "huge": pd.DataFrame(
        {"x": rng.normal(size=n) * 1e140, "y": rng.normal(size=n) * 1e-140, "k": rng.choice([*"ab"], n)}
    ),
    "names": pd.DataFrame({0: rng.normal(size=n), 1.5: rng.choice(["a", "b"], n)}),
    "whole": pd.DataFrame({"big": 2**60 + rng.integers(0, 3, n), "flag": rng.random(n) < 0.5}),
}


TOGETHER = pd.concat([frame.rename(columns=lambda c, odd=odd: (odd, c)) for odd, frame in ODD.items()], axis=1)
SLOW = ("detection", "utility", "utility_real")
CASES = [(name, odd) for name in METRICS["table"] for odd in ODD if name not in SLOW or odd in ("constants", "void")]


@pytest.mark.parametrize(("name", "odd"), [*CASES, *[(name, "together") for name in METRICS["table"]]])
def test_every_metric_gives_a_number_or_a_reason(name, odd):
    frame = ODD[odd] if odd != "together" else TOGETHER.head(80) if name in SLOW else TOGETHER
    score = judge(METRICS["table"][name], *(frame.sample(frac=1, random_state=seed) for seed in range(3)))
    assert score.name == name
    assert score.better in ("lower", "higher")
    if score.value is None:
        assert score.about.startswith("not available")
        assert odd != "together"
    else:
        assert math.isfinite(score.value)
        assert math.isfinite(score.reference)
        assert score.interval is None or score.interval[0] <= score.value <= score.interval[1]


@pytest.mark.parametrize("name", METRICS["table"])
def test_every_metric_repeats_itself(name, people):
    trio = [people(60 if name in SLOW else 250, seed) for seed in range(3)]
    assert judge(METRICS["table"][name], *trio) == judge(METRICS["table"][name], *trio)


@pytest.mark.parametrize("metric", ERRORS)
def test_the_order_of_rows_does_not_matter(metric, people):
    trio = [people(250, seed) for seed in range(3)]
    mixed = [frame.sample(frac=1, random_state=0) for frame in trio]
    assert judge(metric, *mixed).value == pytest.approx(judge(metric, *trio).value, rel=1e-9)
