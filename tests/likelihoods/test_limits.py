"""Cells drawn within limits: shares are those of the whole distribution, cut to what is allowed."""

import math

import pytest
import torch

from synthloom.likelihoods.limits import Choice, choose, choose_digits, log_between, truncated
from synthloom.rng import seeded
from synthloom.spec import Limit

N = 20_000
INF = math.inf


def score(choice_BP):
    """Numbers of choice 0 lie around 1, all others around 0."""
    return (choice_BP == 0).double(), torch.ones(choice_BP.shape, dtype=torch.float64)


def limit(open_K, *parts):
    choice, low, high = zip(*parts, strict=True) if parts else ((), (), ())
    ends = (torch.tensor([end], dtype=torch.float64) for end in (low, high))
    return Limit(torch.tensor([open_K]) > 0, torch.tensor([choice], dtype=torch.int64), *ends)


@pytest.mark.parametrize(
    ("allowed", "shares"),
    [
        (limit([1, 1, 0, 0]), [0.1, 0.2, 0, 0]),
        (limit([0, 0, 0, 1], (0, 1, INF)), [0.05, 0, 0, 0.4]),
        (limit([0, 0, 0, 0], (0, 1, INF), (1, -INF, 0), (1, 0, INF)), [0.05, 0.2, 0, 0]),
    ],
)
def test_choices_share_what_is_left_of_each(allowed, shares):
    logits_BK = torch.tensor([0.1, 0.2, 0.3, 0.4]).log().expand(N, -1)
    with seeded("choose"):
        drawn = choose(logits_BK, score, allowed, 1.0)
        number = truncated(*(part[:, 0] for part in score(drawn.choice_B[:, None])), drawn)
    wanted = torch.tensor(shares)
    share = torch.bincount(drawn.choice_B, minlength=4) / N
    assert (share - wanted / wanted.sum()).abs().max() < 0.015
    assert drawn.log_mass_B[0].exp().item() == pytest.approx(wanted.sum().item(), rel=1e-5)
    assert ((drawn.low_B <= number) & (number <= drawn.high_B)).all()
    assert allowed.admits(drawn.choice_B, number).all()


def test_what_is_not_allowed_is_not_admitted():
    allowed = limit([0, 1, 0, 0], (2, -1, 1), (2, 3, INF), (3, INF, -INF))
    choice_B, number_B = torch.tensor([0, 1, 2, 2, 2, 2, 3]), torch.tensor([0.0, 9, 0, 2, 3, -1.5, 0])
    assert allowed.admits(choice_B, number_B).tolist() == [False, True, True, False, True, False, False]


def test_the_likeliest_is_the_likeliest_of_what_is_allowed():
    logits_BK = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).log()
    drawn = choose(logits_BK, score, limit([0, 1, 1, 0], (3, 5, INF)), 0.0)
    assert drawn.choice_B.item() == 2
    part = Choice(torch.tensor([3]), torch.tensor([5.0]), torch.tensor([INF]), torch.zeros(1))
    assert truncated(torch.zeros(1), torch.zeros(1), part).item() == 5


def test_where_nothing_is_left_the_mass_says_so():
    drawn = choose(torch.zeros(3, 4), score, limit([0, 0, 0, 0], (1, INF, -INF)), 1.0)
    assert (drawn.log_mass_B == -INF).all()


def test_two_digits_are_as_good_as_one():
    torch.manual_seed(0)
    first_BU, own_BV, table_UV = torch.randn(1, 4), torch.randn(1, 5), torch.randn(4, 5)
    both_K = (first_BU.log_softmax(1)[0][:, None] + (own_BV + table_UV).log_softmax(1)).flatten()[:18]
    open_K = torch.rand(18) < 0.4
    open_K[5:10] = True  # one first digit is open throughout
    with seeded("digits"):
        drawn = choose_digits(
            first_BU.expand(N, -1), lambda u: (own_BV + table_UV[u]).expand(N, -1), Limit.of(open_K[None]), 1.0
        )
    wanted = both_K.exp() * open_K
    assert drawn.log_mass_B[0].exp().item() == pytest.approx(wanted.sum().item(), rel=1e-5)
    assert (torch.bincount(drawn.choice_B, minlength=18) / N - wanted / wanted.sum()).abs().max() < 0.015


def test_truncated_numbers_have_the_truncated_moments():
    ends = torch.full((N,), 0.5, dtype=torch.float64), torch.full((N,), 2.0, dtype=torch.float64)
    with seeded("truncated"):
        x = truncated(torch.ones(N), torch.full((N,), 2.0), Choice(torch.zeros(N), *ends, torch.zeros(N)))
    grid = torch.linspace(0.5, 2, 2001)
    density = torch.exp(-0.5 * ((grid - 1) / 2).square())
    assert x.mean().item() == pytest.approx((grid * density).sum().div(density.sum()).item(), abs=0.01)
    mass = torch.special.ndtr(torch.tensor(0.5)) - torch.special.ndtr(torch.tensor(-0.25))
    assert log_between(torch.tensor(-0.25), torch.tensor(0.5)).exp().item() == pytest.approx(mass.item(), rel=1e-5)


def test_what_two_limits_allow_is_what_both_do():
    torch.manual_seed(0)
    limits = [
        Limit(torch.rand(1, 6) < 0.5, torch.randint(6, (1, 3)), -torch.rand(1, 3).double(), torch.rand(1, 3).double())
        for _ in range(2)
    ]

    def allows(limit, choice, number):
        parts = (limit.choice_BP == choice) & (limit.low_BP < number) & (number < limit.high_BP)
        return bool(limit.open_BK[0, choice] or parts.any())

    both = limits[0] & limits[1]
    for choice in range(6):
        for number in torch.linspace(-2, 2, 41):
            assert allows(both, choice, number) == all(allows(limit, choice, number) for limit in limits)
