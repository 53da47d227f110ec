"""The importance weighted bound: ratios are minus the KL, weights are p(x) on average, draws tighten it."""

import math

import pytest
import torch
from torch import nn

from synthloom.latents.gaussian import GaussianLatent
from synthloom.models import MODELS
from synthloom.rng import seeded
from synthloom.spec import ImageBatch, ImageSpec, TextSpec
from synthloom.vae import TextVAE

SPEC = ImageSpec(4, 4)
BATCH = ImageBatch.of((torch.arange(48).view(3, 4, 4, 1) % 5 > 2).float())
IMAGE_MODELS = pytest.mark.parametrize("name", [name for kind, name in MODELS if kind == "image"])


def a_net(name, **knobs):
    with seeded(1, "net"):
        net = MODELS["image", name](width=8, likelihood="bernoulli", binarise="half", **knobs).build(SPEC).eval()
        for parameter in net.parameters():
            parameter.data += 0.3 * torch.randn_like(parameter)
        return net


def bound(net):
    parts = net.elbo(BATCH)
    return parts["reconstruction"] - sum(nats_B for name, nats_B in parts.items() if name.startswith("kl_"))


@IMAGE_MODELS
@torch.no_grad()
def test_the_ratio_of_densities_is_minus_the_kl_on_average(name):
    q = a_net(name, size=2).infer(BATCH)
    with seeded(0, "draws"):
        ratio_KB = torch.stack([q.log_ratio(q.draw()) for _ in range(2_000)]).double()
    expected_B = -torch.stack(list(q.kl().values())).sum(0)
    assert ((ratio_KB.mean(0) - expected_B).abs() < 5 * ratio_KB.std(0) / 2_000**0.5 + 1e-3).all()


@torch.no_grad()
def test_the_gaussian_ratio_is_that_of_the_densities():
    q = GaussianLatent(3, 2)(torch.randn(4, 3))
    code_BZ = q.draw()
    prior, own = torch.distributions.Normal(0.0, 1.0), torch.distributions.Normal(q.mu_BZ, q.log_sigma_BZ.exp())
    assert torch.allclose(q.log_ratio(code_BZ), (prior.log_prob(code_BZ) - own.log_prob(code_BZ)).sum(1), atol=1e-5)


@torch.no_grad()
def test_weights_are_the_probability_of_the_image_on_average():
    """Against the integral over a code of one number."""
    net = a_net("conv", size=1)
    net.latent.moments.weight.zero_()  # wide enough to reach wherever there is probability
    net.latent.moments.bias.copy_(torch.tensor([0.3, math.log(1.2)]))
    z_N = torch.linspace(-8, 8, 2_001)
    nats_N = torch.distributions.Normal(0.0, 1.0).log_prob(z_N)
    with seeded(0, "weights"):
        weight_KB = torch.stack(list(net.log_weights(BATCH, 2_000)))
    found_B = weight_KB.logsumexp(0) - math.log(len(weight_KB))
    for b in range(3):
        one = BATCH.take(torch.full((len(z_N),), b))
        exact = (net.generate(z_N[:, None]).log_prob(one) + nats_N).logsumexp(0) + math.log(16 / 2_000)
        assert abs(found_B[b] - exact) < 0.05


@IMAGE_MODELS
@torch.no_grad()
def test_more_draws_tighten_the_bound(name):
    bounds = []
    for draws in (1, 3, 12):
        net = a_net(name, size=2, draws=draws)
        with seeded(0, "bound"):
            bounds.append(torch.stack([bound(net) for _ in range(30)]).mean())
    assert bounds[0] < bounds[1] < bounds[2]


@torch.no_grad()
def test_grey_is_made_black_and_white_once_for_encoder_and_likelihood(monkeypatch):
    net = a_net("conv", size=2)
    family = net.decoder.family
    family.dynamic = True
    heard, scored, log_prob = [], [], family.log_prob
    net.encoder.register_forward_hook(lambda module, given, out: heard.append(given[0].pixel_BCHW))
    monkeypatch.setattr(family, "log_prob", lambda said, pixel: scored.append(pixel) or log_prob(said, pixel))
    net.elbo(ImageBatch.of(torch.full((50, 4, 4, 1), 0.5)))
    assert set(heard[0].unique().tolist()) == {0, 1}
    assert torch.equal(heard[0], scored[0])


def test_labels_and_lengths_are_found_again_in_conditions():
    for labels in (0, 3):
        vae = TextVAE(nn.Identity(), nn.Identity(), nn.Identity(), TextSpec(10, 6, labels))
        length_B, label_B = torch.tensor([2, 6, 4]), torch.tensor([-1, 0, 2]).clamp(max=labels - 1)
        condition_BC = vae.as_condition(length_B, label_B)
        assert torch.equal(condition_BC[:, 0], length_B.float())
        assert torch.equal(vae.labels_in(condition_BC), label_B)
