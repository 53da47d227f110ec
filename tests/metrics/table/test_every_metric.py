import math

import numpy as np
import pandas as pd
import pytest

from synthloom.metrics import METRICS
from synthloom.metrics.table.columns import missing_error, shape_error
from synthloom.metrics.table.pairs import trend_error, wnmi_error


@pytest.fixture(scope="module")
def trio(people):
    return people(800, 0), people(800, 1), people(800, 2)


ERRORS = [shape_error, missing_error, trend_error, wnmi_error]


@pytest.mark.parametrize("metric", ERRORS)
def test_identical_data_has_no_error(judge, metric, trio):
    score = judge(metric, trio[0], trio[0])
    assert score.value == 0
    assert score.reference is None


@pytest.mark.parametrize("metric", ERRORS)
def test_the_reference_is_the_holdout_in_the_synthetic_tables_place(judge, metric, trio):
    real, fresh, holdout = trio
    assert judge(metric, real, fresh, holdout).reference == judge(metric, real, holdout).value


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
def test_every_metric_gives_a_number_or_a_reason(judge, name, odd):
    frame = ODD[odd] if odd != "together" else TOGETHER.head(80) if name in SLOW else TOGETHER
    score = judge(METRICS["table"][name], *(frame.sample(frac=1, random_state=seed) for seed in range(3)))
    assert score.name == name
    assert score.better in ("lower", "higher")
    if score.value is None:
        assert score.about.startswith("not available")
        assert odd != "together" or name == "membership_outliers"  # a tenth of these is too few
    else:
        assert math.isfinite(score.value)
        assert score.reference is None or math.isfinite(score.reference)
        assert score.interval is None or score.interval[0] <= score.value <= score.interval[1]


@pytest.mark.parametrize("name", METRICS["table"])
def test_every_metric_repeats_itself(judge, name, people):
    trio = [people(60 if name in SLOW else 250, seed) for seed in range(3)]
    assert judge(METRICS["table"][name], *trio) == judge(METRICS["table"][name], *trio)


CONFESSIONS = {
    "shuffled": ("between columns", "dependence", "quality", "the other cells"),
    "noise": ("quality", "the other cells"),
    "copies": ("copying", "copies 1", "the other cells"),
}
"""What is wrong with a table, and by which words a metric may own up to not seeing it."""


DEFECTS = [
    (name, defect)
    for name in METRICS["table"]
    for defect in CONFESSIONS
    if name != "utility_real" and (name not in SLOW or defect == "copies")  # the others are in the files of these
]


@pytest.mark.parametrize(("name", "defect"), DEFECTS)
def test_every_metric_sees_a_defect_or_says_that_it_does_not(judge, name, defect, people, shuffled, noise):
    real, holdout = (people(400, seed) for seed in range(2))
    spoilt = {"shuffled": shuffled, "noise": noise, "copies": lambda frame: frame}[defect](real)
    score = judge(METRICS["table"][name], real, spoilt, holdout)
    worse = score.value - score.reference if score.better == "lower" else score.reference - score.value
    assert worse > 0.1 or any(words in score.about for words in CONFESSIONS[defect])


@pytest.mark.parametrize("metric", ERRORS)
def test_the_order_of_rows_does_not_matter(judge, metric, people):
    trio = [people(250, seed) for seed in range(3)]
    mixed = [frame.sample(frac=1, random_state=0) for frame in trio]
    assert judge(metric, *mixed).value == pytest.approx(judge(metric, *trio).value, rel=1e-9)
