import numpy as np
import pandas as pd
import pytest

from synthloom.metrics.table.read import read_tables
from synthloom.reporting.marginals import marginal


def drawn(real, synthetic=None, fewest=5, columns=None):
    """The figure of one column."""
    frames = {"real": real, "synthetic": real if synthetic is None else synthetic}
    tables, _ = read_tables({where: pd.DataFrame({"x": cells}) for where, cells in frames.items()}, columns)
    return marginal("x", *tables, fewest)


def test_a_category_has_a_bar_for_each_value_the_commonest_first():
    figure = drawn(["b"] * 30 + ["a"] * 60 + [None] * 10, ["a"] * 50 + ["b"] * 50)
    assert figure["labels"] == ["a", "b"]
    assert figure["real"] == [pytest.approx(2 / 3, abs=1e-4), pytest.approx(1 / 3, abs=1e-4)]
    assert figure["synthetic"] == [0.5, 0.5]
    assert figure["missing"] == {"real": 0.1, "synthetic": 0.0}


def test_what_few_real_rows_hold_is_one_bar_however_common_it_is_in_the_synthetic_table():
    figure = drawn(["a"] * 50 + ["secret"] * 4, ["a"] * 10 + ["secret"] * 20 + ["invented"] * 20)
    assert figure["labels"] == ["a", "(rare or new)"]
    assert figure["synthetic"] == [0.2, 0.8]
    assert "secret" in drawn(["a"] * 50 + ["secret"] * 4, fewest=1)["labels"]


def test_too_many_values_are_folded_and_shares_still_add_up():
    figure = drawn([f"v{i // 10}" for i in range(300)])
    assert len(figure["labels"]) == 13
    assert figure["labels"][-1] == "(18 others)"
    assert sum(figure["real"]) == pytest.approx(1, abs=1e-3)


def test_few_numbers_have_a_bar_each_in_their_order():
    figure = drawn([3] * 10 + [1] * 20 + [2] * 30 + [77] * 2)
    assert figure["labels"] == ["1", "2", "3", "(rare or new)"]
    assert figure["real"][1] == pytest.approx(30 / 62, abs=1e-4)


def test_an_axis_ends_where_five_real_rows_lie_beyond():
    rng = np.random.default_rng(0)
    real = np.append(rng.normal(size=500), [-1e6, 987654, 900000, 800000])
    edges = drawn(real)["edges"]
    assert np.sort(real)[4] <= edges[0] + 1e-3
    assert edges[-1] <= np.sort(real)[-5] + 1e-3
    assert edges[-1] < 5
    assert drawn(real)["real"][-1] > 0  # what lies beyond is counted in the last bin
    assert sum(drawn(real)["synthetic"]) == pytest.approx(1, abs=5e-3)


def test_a_bin_of_few_real_rows_is_empty():
    real = np.concatenate([np.linspace(0, 1, 600), [5.0, 5.01, 5.02], np.linspace(9, 10, 600)])
    figure = drawn(real)
    middle = [share for share, edge in zip(figure["real"], figure["edges"], strict=False) if 2 < edge < 8]
    assert set(middle) == {0.0}
    assert any(share > 0 for share in drawn(real, fewest=1)["real"][3:-3])


def test_whole_numbers_get_as_many_numbers_to_each_bin():
    figure = drawn(list(range(100)) * 7)
    assert figure["whole"]
    assert len(set(np.diff(figure["edges"]))) == 1
    assert len(set(figure["real"][:-1])) == 1


def test_a_long_tail_gets_a_logarithmic_axis_and_a_spike_is_told_apart():
    rng = np.random.default_rng(0)
    tail = np.exp(rng.normal(0, 2, 1000)).round(3)
    assert drawn(tail)["log"]
    figure = drawn(np.append(tail, np.zeros(900)))
    assert figure["spike"]["label"] == "0"
    assert figure["spike"]["real"] == pytest.approx(900 / 1900, abs=1e-3)
    assert figure["log"]


def test_dates_and_durations_keep_their_type():
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(400), "D")
    figure = drawn(days)
    assert figure["type"] == "datetime"
    assert figure["edges"][0] < figure["edges"][-1]
    spans = pd.to_timedelta(np.arange(400), "h")
    assert drawn(spans)["unit"] == "days"
    assert drawn(spans)["edges"][-1] == pytest.approx(400 / 24, rel=0.05)


@pytest.mark.parametrize(
    "cells", [[None] * 30, [1.5] * 3 + [None] * 30, [7.0] * 40, [1e-300] * 10 + [2e-300] * 30, ["a"]]
)
def test_odd_columns_have_a_figure_or_none(cells):
    assert drawn(cells)["figure"] in ("none", "bars", "bins")
