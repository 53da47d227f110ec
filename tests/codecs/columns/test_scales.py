"""Numbers to choices and positions and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from synthloom.codecs.columns import Options
from synthloom.codecs.columns.scales import SCALES, QuantileScale, load_scale

STREAM = np.random.default_rng(0)
COLUMNS = {
    "normal": (STREAM.normal(size=3_000), False),
    "heavy-tailed": (STREAM.standard_cauchy(3_000), False),
    "zeros and a tail": (np.where(STREAM.random(3_000) < 0.6, 0, STREAM.exponential(10, 3_000)), False),
    "two clumps": (STREAM.choice([0.0, 1e6], 3_000) + STREAM.normal(size=3_000), False),
    "ages": (np.rint(STREAM.gamma(4, 10, 3_000)), True),
    "few integers": (STREAM.integers(0, 5, 3_000).astype(float), True),
    "wide integers": (np.rint(STREAM.normal(0, 1e6, 3_000)), True),
    "ties of floats": (np.round(STREAM.normal(size=3_000), 1), False),
}


@pytest.fixture
def rng():
    return np.random.default_rng(1)


@pytest.mark.parametrize("protect", [True, False])
@pytest.mark.parametrize("name", COLUMNS)
def test_whole_numbers_come_back_exactly_and_others_nearly(name, protect, rng):
    x, whole = COLUMNS[name]
    scale = QuantileScale.fit(x, whole, Options(protect=protect), rng)
    back = scale.decode(*scale.encode(x, rng))
    inside = (x >= scale.low) & (x <= scale.high)
    assert inside.mean() > (0.995 if protect else 0.9999)
    if whole:
        # under protection a number that few rows hold may lie where the memory of its neighbours leaves a gap
        assert (back == x)[inside].mean() > (0.995 if protect else 0.9999)
        assert np.array_equal(back, np.rint(back))
    else:
        spread = np.subtract(*np.quantile(x, [0.9, 0.1]))
        assert np.mean(np.abs(back - x)[inside] < 1e-4 * spread) > 0.98


@pytest.mark.parametrize("protect", [True, False])
@pytest.mark.parametrize("name", COLUMNS)
def test_a_perfect_model_reproduces_the_distribution(name, protect, rng):
    x, whole = COLUMNS[name]
    scale = QuantileScale.fit(x, whole, Options(protect=protect), rng)
    choice, value = scale.encode(x, rng)
    mass = np.bincount(choice, minlength=scale.choices) / len(x)
    drawn = rng.choice(scale.choices, 30_000, p=mass)
    out = scale.decode(drawn, rng.normal(size=30_000).astype(np.float32))
    # the distance between the sample and what it came from, held against that of a true resample: about 0.01
    assert stats.ks_2samp(x, out).statistic < 0.02
    numbered = choice < scale.cells
    if numbered.sum() > 300:
        assert stats.kstest(value[numbered], "norm").statistic < 0.05


@pytest.mark.parametrize("numbers", SCALES)
@pytest.mark.parametrize("name", COLUMNS)
def test_the_state_is_the_scale(name, numbers, rng):
    x, whole = COLUMNS[name]
    scale = SCALES[numbers].fit(x, whole, Options(numbers=numbers), rng)
    again = load_scale(scale.state())
    codes = rng.integers(scale.choices, size=200), rng.normal(size=200).astype(np.float32)
    assert np.array_equal(scale.decode(*codes), again.decode(*codes))


def test_values_that_many_rows_hold_are_choices_of_their_own(rng):
    x = np.concatenate([np.zeros(500), np.full(100, 7.0), rng.normal(size=400)])
    scale = QuantileScale.fit(x, False, Options(cells=32), rng)
    assert scale.atoms.tolist() == [0.0, 7.0]
    assert scale.cells == round(32 * 0.4)
    choice, _ = scale.encode(np.array([0.0, 7.0]), rng)
    assert choice.tolist() == [scale.cells, scale.cells + 1]


def test_a_handful_of_strays_joins_the_nearest_atom(rng):
    x = np.array([0.0] * 50 + [10.0] * 50 + [4.0] * 2 + [6.0] * 2)
    scale = QuantileScale.fit(x, True, Options(), rng)
    assert (scale.cells, scale.atoms.tolist()) == (0, [0, 10])
    assert scale.decode(*scale.encode(np.array([4.0, 6.0, -99.0, 99.0]), rng)).tolist() == [0, 10, 0, 10]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.floats(-1e150, 1e150) | st.integers(-3, 3).map(float), min_size=5, max_size=60),
    st.booleans(),
    st.booleans(),
    st.integers(1, 8),
)
def test_any_numbers_make_a_monotone_scale_that_stays_within_reach(values, whole, protect, cells):
    x = np.array(values)
    x = np.rint(x) if whole else np.where(np.abs(x) < 1e-140, 0, x)
    rng = np.random.default_rng(0)
    scale = QuantileScale.fit(x, whole, Options(protect=protect, cells=cells), rng)
    assert (np.diff(scale.knot_x) >= 0).all()
    assert (np.diff(scale.knot_u) >= 0).all()
    assert scale.cells == 0 or (scale.knot_u[0], scale.knot_u[-1]) == (0, 1)
    grid = np.linspace(-5, 5, 41).astype(np.float32)
    cell = np.repeat(np.arange(scale.cells), len(grid))
    out = scale.decode(cell, np.tile(grid, scale.cells))
    assert (np.diff(out) >= 0).all()
    back = scale.decode(*scale.encode(x, rng))
    assert np.isfinite(back).all()
    low, high = sorted(x)[0], sorted(x)[-1]
    assert ((back >= low) & (back <= high)).all() or np.allclose(back, np.clip(back, low, high))
    if not protect and whole and np.ptp(x) < 1e6:
        assert np.array_equal(back, x)
