"""The account adds up as the mathematics says, and names nothing that one row alone could bring up."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from synthloom import rng
from synthloom.errors import DataError, UsageError
from synthloom.privacy import Account, Entry

pytest.importorskip("opacus")

PHI = NormalDist().cdf


def account(epsilon=1.0, delta=1e-5, rows=10_000):
    return Account(epsilon, delta, rows)


def gaussian_epsilon(noise, delta):
    """The exact epsilon of one Gaussian mechanism: Improving the Gaussian Mechanism for Differential Privacy (Balle &
    Wang, 2018), https://arxiv.org/abs/1805.06530, theorem 8, solved by bisection."""
    low, high = 0.0, 100.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        found = PHI(0.5 / noise - middle * noise) - math.exp(middle) * PHI(-0.5 / noise - middle * noise)
        low, high = (middle, high) if found > delta else (low, middle)
    return high


@pytest.mark.parametrize("noise", [0.8, 2.0, 10.0])
def test_one_question_costs_what_the_exact_formula_says(noise):
    spent = account().spent(Entry(noise, 1.0, 1))
    exact = gaussian_epsilon(noise, 1e-5)
    assert exact <= spent < 1.05 * exact + 0.01


def test_many_questions_cost_what_one_of_as_much_less_noise_does():
    many, one = account().spent(Entry(10.0, 1.0, 25)), account().spent(Entry(2.0, 1.0, 1))
    assert many == pytest.approx(one, rel=0.05)
    mixed = Account(1.0, 1e-5, 10_000)
    mixed.spend(Entry(10.0, 1.0, 5))
    mixed.spend(Entry(10.0, 1.0, 4))
    mixed.spend(Entry(2.5, 1.0, 1))  # as much as sixteen of the others
    assert [entry.times for entry in mixed.entries] == [9, 1]
    assert mixed.spent() == pytest.approx(one, rel=0.05)


def test_steps_on_draws_agree_with_the_accountants_of_opacus():
    from opacus.accountants import PRVAccountant, RDPAccountant

    spent = account().spent(Entry(1.5, 0.02, 200))
    reference, bound = PRVAccountant(), RDPAccountant()
    reference.history = bound.history = [(1.5, 0.02, 200)]
    assert spent == pytest.approx(reference.get_epsilon(1e-5), rel=0.05)
    assert 0.8 * bound.get_epsilon(1e-5) < spent <= bound.get_epsilon(1e-5)


def test_noise_uses_the_budget_and_no_more():
    opened = Account.open(2.0, 5_000)
    opened.spend(Entry(opened.noise_for_statistics(20), 1.0, 20))
    noise = opened.noise_for(0.05, 60)
    assert 0.97 * 2.0 < opened.spent(Entry(noise, 0.05, 60)) <= 2.0


def test_a_budget_that_is_used_up_is_refused_in_words():
    spent = account(epsilon=0.5)
    spent.spend(Entry(1.0, 1.0, 10))
    with pytest.raises(UsageError, match="used up"):
        spent.noise_for(0.1, 10)


@pytest.mark.parametrize("delta", [0.5, 1e-3])
def test_a_delta_of_one_row_in_n_is_refused(delta):
    with pytest.raises(UsageError, match="privacy_delta must be above 0 and below 1 / n"):
        Account.open(5.0, 2_000, delta)
    assert Account.open(5.0, 2_000).delta == pytest.approx(2_000**-1.2, rel=0.1)


def test_a_handful_of_rows_is_refused():
    with pytest.raises(DataError, match="some hundred rows"):
        Account.open(8.0, 12)


def test_a_threshold_sets_aside_its_share_of_delta():
    opened = account()
    threshold = opened.threshold(noise=10.0, columns=2, fewest=5)
    chance = 1 - PHI((threshold - 5) / 10.0)  # that a value of five rows comes so far
    assert chance == pytest.approx(opened.slips, rel=1e-6)
    opened.threshold(noise=10.0, columns=2, fewest=5)
    assert opened.slips == pytest.approx(0.25 * opened.delta)
    assert opened.spent(Entry(10.0, 1.0, 1)) > account().spent(Entry(10.0, 1.0, 1))


def test_an_account_survives_json():
    opened = Account.open(3.0, 4_000)
    opened.spend(Entry(2.5, 0.125, 7))
    assert Account.from_json(opened.to_json()) == opened


def test_secret_draws_are_normal_and_never_the_same():
    one, other = rng.secret_normal(20_000), rng.secret_normal(20_000)
    assert abs(one.mean()) < 0.04
    assert abs(one.std() - 1) < 0.03
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.04
