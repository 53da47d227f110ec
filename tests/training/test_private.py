"""Each item has a gradient of its own, none counts for more than `clip`, and the noise is what was agreed on."""

import numpy as np
import pytest
import torch

import synthloom as sl
from synthloom import rng
from synthloom.attention import Mixture
from synthloom.codecs.table import TableCodec
from synthloom.latents.gaussian import Gaussian
from synthloom.latents.nvib import DirichletProcess
from synthloom.models import MODELS
from synthloom.training import Private

SMALL = {
    "tvae": {"compress_dims": (8,), "decompress_dims": (8,), "embedding_dim": 4},
    "nvae": {"width": 8, "layers": 1, "order": "given"},
}


@pytest.fixture(params=sorted(SMALL))
def make(request, monkeypatch):
    """A run of a small model without chance in it, on items some of whose cells are unknown."""
    monkeypatch.setattr(Gaussian, "draw", lambda self, temperature=1.0: self.mean)
    monkeypatch.setattr(
        DirichletProcess, "draw", lambda self, temperature=1.0: Mixture(self.mu_BNP, None, self.log_alpha_BN)
    )
    items = TableCodec().fit(sl.datasets.visits(60, seed=0)).encode(sl.datasets.visits(60, seed=0))
    items.known_BC[::3, 1] = False
    spec = TableCodec().fit(sl.datasets.visits(60, seed=0)).spec
    model = MODELS["table", request.param](**SMALL[request.param])
    with rng.seeded(0):
        net = model.build(spec)
        for parameter in net.parameters():
            parameter.data += 0.05 * torch.randn_like(parameter)

    def run(clip=1e9, noise=1.0, rate=0.5, rows=60):
        terms = Private(rate, noise, clip, 10, rows, items, {})
        run = terms.run(net, items, None, model.settings(0, 60), model.schedule(), {})
        run.course.weights = {name: 0.7 for name in net.elbo(items) if name.startswith("kl_")}
        return run

    return run


def flat(sums):
    return torch.cat([total.flatten() for total in sums.values()])


def test_without_a_limit_the_sum_is_the_ordinary_gradient(make):
    """That of the ordinary way, which goes through kernels of our own and takes all items at once."""
    run = make()
    index = torch.arange(20)
    sums = run.clipped_sums(index)
    parts = run.vae.elbo(run.data.take(index))
    (run._loss(parts) * len(index)).backward()
    for name, parameter in run.vae.named_parameters():
        wanted = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        torch.testing.assert_close(sums[name], wanted, rtol=1e-3, atol=2e-4, msg=name)


def test_no_item_counts_for_more_than_clip_wherever_it_comes_from(make):
    free, bound = make(), make(clip=0.5)
    each = torch.stack([flat(free.clipped_sums(torch.tensor([i]))) for i in range(8)])
    length = each.norm(dim=1)
    assert (length > 0.5).any()
    wanted = (each * (0.5 / length).clamp(max=1)[:, None]).sum(0)
    torch.testing.assert_close(flat(bound.clipped_sums(torch.arange(8))), wanted, rtol=1e-3, atol=1e-4)
    with_it, without = (flat(bound.clipped_sums(index)) for index in (torch.arange(8), torch.arange(7)))
    assert (with_it - without).norm() <= 0.5 + 1e-4


def test_an_item_that_cannot_be_reckoned_with_has_no_say(make):
    run = make(clip=0.5)
    before = flat(run.clipped_sums(torch.arange(4)))
    run.data.value_BC[4] = torch.inf
    after = flat(run.clipped_sums(torch.arange(5)))
    assert after.isfinite().all()
    assert (after - before).norm() <= 0.5 + 1e-4


def test_an_empty_draw_gives_the_noise_alone(make):
    run = make(clip=2.0, noise=3.0, rate=1e-12, rows=4e12)
    run._gradients()
    gradient = torch.cat([p.grad.flatten() for p in run.parameters])
    assert gradient.std().item() == pytest.approx(3.0 * 2.0 / 4.0, rel=0.1)
    assert abs(gradient.mean().item()) < 5 * 1.5 / len(gradient) ** 0.5


def test_draws_are_poisson(make, monkeypatch):
    run = make(rate=0.25)
    sizes, member = [], torch.zeros(len(run.data))
    monkeypatch.setattr(run, "clipped_sums", lambda index: sizes.append(index) or dict.fromkeys(names, 0.0))
    names = [name for name, _ in run.vae.named_parameters()]
    for _ in range(200):
        run._gradients()
    counts = np.array([len(index) for index in sizes])
    for index in sizes:
        member[index] += 1
    assert counts.mean() == pytest.approx(0.25 * len(run.data), rel=0.1)
    assert counts.var() == pytest.approx(0.25 * 0.75 * len(run.data), rel=0.5)
    assert member.min() > 20
