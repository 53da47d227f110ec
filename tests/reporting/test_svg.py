import numpy as np
import pytest

from synthloom.reporting.svg import Axis, tag, ticks


def test_what_is_written_is_escaped():
    assert str(tag("text", "<b>&", class_='a"b')) == '<text class="a&#34;b">&lt;b&gt;&amp;</text>'


@pytest.mark.parametrize("log", [False, True])
def test_an_axis_keeps_order_and_stays_inside(log):
    axis = Axis(2, 5000, 10, 90, log=log)
    places = [axis(x) for x in (-3, 0, 2, 3, 100, 5000, 9e9)]
    assert places == sorted(places)
    assert places[0] == places[2] == 10
    assert places[-1] == 90


def test_an_axis_without_extent_puts_everything_in_its_middle():
    assert Axis(3, 3, 0, 10)(3) == 5


@pytest.mark.parametrize("span", [1e-12, 0.3, 7, 12345, 1e12])
@pytest.mark.parametrize("low", [0, -5, 1e6])
def test_ticks_are_few_round_and_inside(low, span):
    axis = Axis(low, low + span, 0, 1)
    found = ticks(axis)
    assert len(found) <= 7
    assert all(axis.low - 1e-9 * span <= x <= axis.high + 1e-9 * span for x, _ in found)


@pytest.mark.parametrize(
    ("low", "high", "first"),
    [
        ("2020-01-01T00:00", "2020-01-01T02:00", "00:00"),
        ("2020-03-01", "2020-03-20", "2020-03-"),
        ("2020-01-15", "2021-06-01", "2020-"),
        ("1900-01-01", "2020-01-01", "19"),
        ("0001-01-01", "9999-01-01", "2000"),
    ],
)
def test_moments_have_ticks_at_the_starts_of_something(low, high, first):
    low, high = (float(np.datetime64(x, "us").astype(np.int64)) for x in (low, high))
    found = ticks(Axis(low, high, 0, 1), "datetime")
    assert 2 <= len(found) <= 7
    assert found[0][1].startswith(first)
    assert all(low <= x <= high for x, _ in found)
