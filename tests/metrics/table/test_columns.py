import numpy as np
import pandas as pd
import pytest

from synthloom.metrics.table.columns import missing_error, shape_error


@pytest.fixture(scope="module")
def trio(people):
    return people(800, 0), people(800, 1), people(800, 2)


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
def test_shape_error_of_one_column_by_hand(judge, real, synthetic, error):
    assert judge(shape_error, {"x": real}, {"x": synthetic}).value == pytest.approx(error, abs=1e-12)


def test_a_category_that_the_real_table_lacks_counts_a_millionth_there(judge):
    score = judge(shape_error, {"x": list("aa")}, {"x": list("az")})
    assert score.value == pytest.approx(50 * (abs(2 / 2.000001 - 0.5) + abs(1e-6 / 2.000001 - 0.5)), abs=1e-12)


def test_shape_error_is_the_mean_over_columns_that_hold_anything(judge):
    real = {"a": [1.0, 2], "b": list("xy"), "void": [None, None]}
    assert judge(shape_error, real, {"a": [3.0, 4], "b": list("xy"), "void": [None, None]}).value == 50
    assert judge(shape_error, {"void": [None]}, {"void": [None]}).value is None


def test_shape_error_sees_noise_and_is_blind_to_shuffled_columns_and_says_so(judge, trio, noise):
    real, fresh, holdout = trio
    good, bad = judge(shape_error, real, fresh, holdout), judge(shape_error, real, noise(real), holdout)
    assert good.value == pytest.approx(good.reference, rel=0.6)
    assert bad.value > 4 * good.value
    assert good.baseline == 0
    assert "blind to everything between columns" in good.about


def test_the_detail_has_every_column_and_its_mean_is_the_score(judge, trio):
    score = judge(shape_error, *trio)
    columns = score.detail["columns"]
    assert [entry["column"] for entry in columns] == list(trio[0])
    assert np.mean([entry["value"] for entry in columns]) == pytest.approx(score.value)
    assert np.mean([entry["reference"] for entry in columns]) == pytest.approx(score.reference)


# -- what is missing --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("real", "synthetic", "error"),
    [
        ({"a": [1.0, 2]}, {"a": [1.0, 3]}, 0),
        ({"a": [1.0, None]}, {"a": [1.0, 3]}, 50),
        ({"a": [1.0, None], "k": ["x", None]}, {"a": [1.0, None], "k": ["x", None]}, 0),
        ({"a": [1.0, None], "k": ["x", None]}, {"a": [1.0, None], "k": [None, "x"]}, 100),  # never together now
        ({"a": [1.0, None], "k": list("xx")}, {"a": [None, None], "k": list("xx")}, 50),
        ({"a": [1.0, None], "k": list("xx"), "z": list("xx")}, {"a": [1.0, 2], "k": list("xx"), "z": list("xx")}, 50),
    ],
)
def test_missing_error_by_hand(judge, real, synthetic, error):
    assert judge(missing_error, real, synthetic).value == pytest.approx(error, abs=1e-5)


def test_cells_that_are_missing_together_are_told_from_as_many_that_are_not(judge, people):
    def gappy(seed, apart):
        frame, rng = people(2000, seed), np.random.default_rng(seed)
        first, second = rng.random(2000) < 0.3, rng.random(2000) < 0.3
        return frame.assign(age=frame["age"].mask(first), school=frame["school"].mask(second if apart else first))

    good, bad = (judge(missing_error, gappy(0, False), gappy(1, apart), gappy(2, False)) for apart in (False, True))
    assert good.value < 2
    assert good.reference < 2
    assert bad.value > 4 * good.value
    assert good.baseline > 2 * good.value
    columns = {entry["column"]: entry for entry in bad.detail["columns"]}
    assert set(columns) == {"age", "school"}
    assert columns["age"]["value"] == pytest.approx(0.3, abs=0.05)


def test_where_nothing_is_missing_there_is_no_error(judge, trio):
    score = judge(missing_error, *trio)
    assert score.value == score.reference == score.baseline == 0
    assert "no cell is missing" in score.about
