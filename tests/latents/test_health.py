"""Each way to fail is named when it happens, and not when it does not."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from synthloom.latents.health import check_alpha, check_codes, check_rate, check_survivors, gap
from synthloom.latents.nvib import NvibLatent
from synthloom.rng import seeded


@pytest.mark.parametrize(
    ("rate", "target", "problem"),
    [
        (0.01, None, "dead"),
        (0.01, 10.0, "dead"),
        (4.0, 10.0, "below"),
        (25.0, 10.0, "above"),
        (math.nan, 10.0, "diverged"),
        (math.inf, None, "diverged"),
        (9.0, 10.0, None),
        (30.0, None, None),
    ],
)
def test_rate(rate, target, problem):
    findings = check_rate(rate, target)
    assert [problem in finding.problem for finding in findings] == ([True] if problem else [])


@pytest.mark.parametrize(
    ("ratio", "problem"), [(100, "exploding"), (0.01, "vanishing"), (1, None), (math.nan, "exploding")]
)
def test_alpha(ratio, problem):
    expected_B = torch.tensor([3.0, 5.0, 7.0])
    findings = check_alpha(ratio * expected_B, expected_B)
    assert [problem in finding.problem for finding in findings] == ([True] if problem else [])


def test_survivors():
    assert "all vectors" in check_survivors(torch.zeros(5))[0].problem
    assert "no vector" in check_survivors(torch.ones(5), delta=0.3)[0].problem
    assert check_survivors(torch.ones(5), delta=1.0) == []
    assert check_survivors(torch.full((5,), 0.4), delta=0.3) == []


def test_gap_is_the_kl_of_gaussians():
    with seeded(1):
        factor_FF = torch.eye(3) + 0.5 * torch.randn(3, 3).tril(-1)
        code_BF, prior_BF = torch.randn(50_000, 3) @ factor_FF.T + 0.3, torch.randn(50_000, 3)
    expected = kl_divergence(
        MultivariateNormal(torch.full((3,), 0.3), factor_FF @ factor_FF.T),
        MultivariateNormal(torch.zeros(3), torch.eye(3)),
    )
    assert gap(code_BF, prior_BF) == pytest.approx(expected.item(), rel=0.05)


@pytest.mark.parametrize("rows", [20, 60, 2000])
def test_codes_of_the_prior_itself_are_no_finding(rows):
    """Few items, many numbers, constant ones among them: chance alone is not held against a prior."""
    with seeded(2, rows):
        one, two = torch.randn(rows, 12), torch.randn(rows, 12)
    one[:, 5:7] = two[:, 5:7] = 0
    assert check_codes(one, two) == []


def test_codes_that_only_correlate_are_found():
    """Every number on its own looks like the prior's; together they do not."""
    with seeded(3):
        shared_B1, own_BF = torch.randn(2000, 1), torch.randn(2000, 6)
    findings = check_codes(0.9 * shared_B1 + 0.436 * own_BF, torch.randn(2000, 6))
    assert "far from the codes" in findings[0].problem


def test_a_fresh_bottleneck_is_in_order():
    """Asked as a model would: nothing has gone wrong before training, and words come out when it has."""
    with seeded(4):
        latent = NvibLatent(8, 3, tokens=6, delta=0.5)
        q = latent((torch.randn(200, 6, 8), torch.ones(200, 6, dtype=torch.bool)))
    survey = q.process.survey()
    assert check_alpha(survey["alpha"], survey["prior_alpha"]) == []
    assert check_survivors(survey["survivor_share"], delta=0.5)[0].problem == "no vector is dropped"
    assert check_rate(q.kl()["gaussian"].mean().item()) == []
    finding = check_codes(latent.flat(q.draw()), latent.flat(latent.prior(200).draw()))[0]
    assert "; fit a learned prior" in str(finding)
