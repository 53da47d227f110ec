"""One Gaussian vector per item: its KL against torch's own, its draws, and points that always draw the same."""

import torch
from torch.distributions import Normal, kl_divergence

from synthloom.latents.gaussian import Gaussian, GaussianLatent
from synthloom.rng import seeded


def a_posterior(rows=5, size=3):
    with seeded("posterior"):
        return Gaussian(torch.randn(rows, size).double(), torch.randn(rows, size).double())


def test_the_kl_is_torchs():
    q = a_posterior()
    want = kl_divergence(Normal(q.mu_BZ, q.log_sigma_BZ.exp()), Normal(0.0, 1.0)).sum(1)
    assert torch.allclose(q.kl()["gaussian"], want)


def test_the_kls_gradient_is_right():
    q = a_posterior()
    assert torch.autograd.gradcheck(
        lambda mu_BZ, log_sigma_BZ: Gaussian(mu_BZ, log_sigma_BZ).kl()["gaussian"],
        (q.mu_BZ.requires_grad_(), q.log_sigma_BZ.requires_grad_()),
    )


def test_draws_have_the_mean_and_the_spread():
    q = a_posterior(1)
    many = Gaussian(q.mu_BZ.expand(20_000, -1), q.log_sigma_BZ.expand(20_000, -1))
    with seeded("draw"):
        for temperature in (1.0, 0.5):
            code_BZ = many.draw(temperature)
            sigma_Z = temperature * q.log_sigma_BZ[0].exp()
            assert ((code_BZ.mean(0) - q.mu_BZ[0]) / sigma_Z).abs().max() < 0.05
            assert (code_BZ.std(0) / sigma_Z - 1).abs().max() < 0.03
    assert torch.equal(q.draw(0.0), q.mean)


def test_a_point_always_draws_itself_and_mixes_with_others():
    latent, q = GaussianLatent(4, 3), a_posterior()
    point = latent.point(torch.ones(5, 3).double())
    assert torch.equal(point.draw(), torch.ones(5, 3))
    assert point.kl()["gaussian"].isinf().all()
    assert torch.equal(q.mix(point, 0.0).mean, q.mean)
    assert torch.allclose(q.mix(point, 0.25).log_sigma_BZ, q.log_sigma_BZ + torch.tensor(0.75).log())
    assert torch.equal(q.mix(point, 1.0).draw(), point.mean)
