"""One set of laws for every learned prior."""

import pytest
import torch

from synthloom.errors import NotFittedError, UsageError
from synthloom.latents.nvib import NvibLatent
from synthloom.priors import PRIORS, FlowPrior
from synthloom.rng import seeded

LEARNT = [name for name, prior in PRIORS.items() if prior is not None]
SMALL = {"flow": {"width": 64, "steps": 400}}


def build(name, size, condition=0, **knobs):
    with seeded("build", name):
        return PRIORS[name](size, condition, **SMALL.get(name, {}) | knobs)


def rings(n):
    """Codes that no Gaussian fits: two clusters, each a tilted ellipse, and a dimension that never moves."""
    which = torch.rand(n) < 0.3
    along = torch.randn(n)
    code_NF = torch.stack([along, 0.8 * along + 0.2 * torch.randn(n), torch.full((n,), 7.0)], dim=1)
    code_NF[:, 0] += torch.where(which, 6.0, -3.0)
    return code_NF, which.float()[:, None]


def slices(one_NF, other_NF, directions=30):
    """Sliced Wasserstein distance: the mean gap between quantiles, over random directions."""
    with seeded("slices"):
        direction_FS = torch.nn.functional.normalize(torch.randn(one_NF.shape[1], directions), dim=0)
    levels = torch.linspace(0.005, 0.995, 200)
    return (
        (torch.quantile(one_NF @ direction_FS, levels, 0) - torch.quantile(other_NF @ direction_FS, levels, 0))
        .abs()
        .mean()
    )


def test_standard_is_no_learned_prior():
    assert PRIORS["standard"] is None


@pytest.mark.parametrize("name", LEARNT)
def test_draws_look_like_held_out_codes(name):
    with seeded(1):
        code_NF, fresh_NF = rings(3000)[0], rings(3000)[0]
        prior = build(name, 3)
        prior.fit(code_NF)
        drawn_NF = prior.draw(3000)
    gaussian_NF = (
        fresh_NF.mean(0) + torch.randn(3000, 3) @ torch.linalg.cholesky(fresh_NF.T.cov() + 1e-6 * torch.eye(3)).T
    )
    assert slices(drawn_NF, fresh_NF) < 0.4 * slices(gaussian_NF, fresh_NF)
    assert (drawn_NF[:, 2] - 7).abs().max() < 1e-3


@pytest.mark.parametrize("name", LEARNT)
def test_draws_keep_to_their_condition(name):
    with seeded(2):
        code_NF, condition_NC = rings(3000)
        prior = build(name, 3, condition=1)
        prior.fit(code_NF, condition_NC)
        for wanted, place in ((0.0, -3.0), (1.0, 6.0)):
            drawn_NF = prior.draw(1000, torch.full((1000, 1), wanted))
            assert abs(drawn_NF[:, 0].mean() - place) < 0.3
            assert abs(drawn_NF[:, 0].std() - 1) < 0.3


@pytest.mark.parametrize("name", LEARNT)
def test_same_seed_same_draws_and_the_same_fit(name):
    drawn = []
    for _ in range(2):
        with seeded(3):
            prior = build(name, 3, **({"steps": 30} if name == "flow" else {}))
            prior.fit(rings(300)[0])
            drawn.append(prior.draw(50))
    assert torch.equal(*drawn)
    assert not torch.equal(prior.draw(50), prior.draw(50))


@pytest.mark.parametrize("name", LEARNT)
def test_what_is_saved_is_all_there_is(name):
    with seeded(4):
        prior, other = (build(name, 3, condition=1, **({"steps": 20} if name == "flow" else {})) for _ in range(2))
        prior.fit(*rings(400))
    other.load_state_dict(prior.state_dict())
    conditions = torch.ones(20, 1)
    with seeded(5):
        expected = prior.draw(20, conditions)
    with seeded(5):
        assert torch.equal(other.draw(20, conditions), expected)


@pytest.mark.parametrize("name", LEARNT)
@pytest.mark.parametrize("rows", [7, 400])
def test_no_training_code_is_kept(name, rows):
    """The state has the same size for any number of items, and holds none of their codes."""
    with seeded(6):
        prior, code_NF = build(name, 5, **({"steps": 20} if name == "flow" else {})), torch.randn(rows, 5)
        sizes = {key: value.shape for key, value in prior.state_dict().items()}
        prior.fit(code_NF)
    assert {key: value.shape for key, value in prior.state_dict().items()} == sizes
    standard_NF = (code_NF - prior.shift_F) / prior.scale_F
    for value in prior.state_dict().values():
        if value.dim() and value.shape[-1] == 5:
            stored_KF = value.reshape(-1, 5).float()
            assert min(torch.cdist(stored_KF, codes).min() for codes in (code_NF, standard_NF)) > 1e-3


@pytest.mark.parametrize("name", LEARNT)
def test_training_codes_are_not_learnt_by_heart(name):
    """Draws are as close to codes never seen as to those trained on."""
    with seeded(7):
        code_NF, fresh_NF = torch.randn(300, 4), torch.randn(300, 4)
        prior = build(name, 4, **({"steps": 600} if name == "flow" else {}))
        prior.fit(code_NF)
        drawn_NF = prior.draw(2000)
    closer = torch.cdist(drawn_NF, code_NF).min(1).values < torch.cdist(drawn_NF, fresh_NF).min(1).values
    assert closer.float().mean() < 0.6


@pytest.mark.parametrize("name", LEARNT)
@pytest.mark.parametrize("rows", [1, 2, 30])
def test_a_few_codes_are_enough(name, rows):
    with seeded(8):
        prior = build(name, 3, **({"steps": 20} if name == "flow" else {}))
        prior.fit(torch.randn(rows, 3))
    assert prior.draw(10).isfinite().all()
    assert prior.draw(0).shape == (0, 3)


@pytest.mark.parametrize("name", LEARNT)
def test_codes_may_come_from_inference_mode(name):
    with torch.inference_mode():
        prior, code_NF = build(name, 3, **({"steps": 5} if name == "flow" else {})), torch.randn(100, 3)
    prior = build(name, 3, **({"steps": 5} if name == "flow" else {}))
    with torch.inference_mode():
        prior.fit(code_NF * 2)
    assert prior.draw(5).isfinite().all()
    assert not any(parameter.requires_grad for parameter in prior.parameters())


@pytest.mark.parametrize("name", LEARNT)
def test_misuse_is_said(name):
    with pytest.raises(NotFittedError, match="fitted"):
        build(name, 3).draw(2)
    prior = build(name, 3, condition=2, **({"steps": 5} if name == "flow" else {}))
    with pytest.raises(UsageError, match=r"\(10, 2\)"):
        prior.fit(torch.randn(10, 3))
    prior.fit(torch.randn(10, 3), torch.randn(10, 2))
    with pytest.raises(UsageError, match=r"\(4, 2\)"):
        prior.draw(4)


def test_a_flow_stops_in_time():
    with seeded(9):
        prior = FlowPrior(3, width=64, steps=10**9, seconds=0.5)
        prior.fit(torch.randn(50, 3))  # too few to hold any back, so that only the clock can stop it
    assert prior.draw(3).isfinite().all()


@pytest.mark.parametrize("name", LEARNT)
def test_a_set_of_weighted_vectors_can_be_learnt(name):
    """The codes of a bottleneck, weights included, of different lengths: nearer than the latent's own prior."""
    with seeded(10):
        latent = NvibLatent(8, 2, tokens=4, delta=1.0)
        tokens_B = torch.randint(1, 5, (1500,))
        x_BnD = torch.randn(1500, 1, 8) + 0.1 * torch.randn(1500, 4, 8)  # tokens of an item resemble each other
        latent.observe(tokens_B)
        q = latent((x_BnD, torch.arange(4) < tokens_B[:, None]))
        code = q.draw()
        code_BF, condition_BC = latent.flat(code), latent.condition(code)
        prior = build(name, code_BF.shape[1], condition=1)
        prior.fit(code_BF, condition_BC)
        new_BC = latent.conditions(1500)
        code = latent.unflat(prior.draw(1500, new_BC), new_BC)
    assert torch.equal(condition_BC[:, 0], tokens_B)
    assert torch.equal(latent.condition(code), new_BC)
    assert torch.allclose(code.log_weight.exp().sum(1), torch.ones(1500), atol=1e-5)
    own_BF = latent.flat(latent.prior(1500).draw())
    assert slices(latent.flat(code), code_BF) < 0.5 * slices(own_BF, code_BF)
