"""Networks for images of any size: shapes fit, gradients reach everything, labels are heard, every patch sees all."""

import pytest
import torch

from synthloom.models import MODELS
from synthloom.nets.image import levels
from synthloom.rng import seeded
from synthloom.spec import ImageBatch, ImageSpec

IMAGE_MODELS = pytest.mark.parametrize("name", [name for kind, name in MODELS if kind == "image"])
SIZES = [(1, 1), (4, 4), (5, 9), (40, 2)]


def a_batch(spec, items=3):
    with seeded(0, "images"):
        label_B = torch.tensor([-1, 0, 1])
        return ImageBatch.of(torch.rand(items, spec.height, spec.width, spec.channels), label_B)


def a_net(name, spec, **knobs):
    with seeded(0, "net"):
        net = MODELS["image", name](width=8, **knobs).build(spec)
        for parameter in net.parameters():  # nothing rests at zero
            parameter.data += 0.05 * torch.randn_like(parameter)
        return net.eval()


@IMAGE_MODELS
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(("channels", "likelihood"), [(1, "bernoulli"), (3, "logistic"), (3, "gaussian")])
def test_every_size_is_read_and_written_and_gradients_reach_every_parameter(name, size, channels, likelihood):
    spec = ImageSpec(*size, channels, labels=2)
    net = a_net(name, spec, likelihood=likelihood)
    batch = a_batch(spec)
    parts = net.elbo(batch)
    assert all(part_B.shape == (3,) and part_B.isfinite().all() for part_B in parts.values())
    (parts["reconstruction"] - sum(v for k, v in parts.items() if k.startswith("kl_"))).sum().backward()
    still = [key for key, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    alone = name == "nvae" and max(size) <= 4  # a single patch has no other to look at
    assert [key for key in still if not (alone and ("query" in key or "key" in key or "norm" in key))] == []
    drawn = net.generate(net.prior(2).draw()).draw()
    assert drawn.pixel_BCHW.shape == (2, channels, *size)


def test_levels_halve_until_they_are_small():
    assert levels(ImageSpec(4, 3), 1) == [(4, 3)]
    assert levels(ImageSpec(9, 64), 2) == [(5, 32), (3, 16), (2, 8)]


@IMAGE_MODELS
@torch.no_grad()
def test_labels_are_heard_and_images_do_not_hear_each_other(name):
    spec = ImageSpec(8, 8, 1, labels=2)
    net = a_net(name, spec, likelihood="bernoulli")
    code = net.infer(a_batch(spec)).mean
    said = [net.decoder.say(code, torch.full((3,), label)) for label in (-1, 0, 1)]
    assert not torch.allclose(said[0], said[1])
    assert not torch.allclose(said[1], said[2])
    alone = net.decoder.say(net.infer(a_batch(spec).take(torch.tensor([2]))).mean, torch.tensor([0]))
    assert torch.allclose(alone[0], said[1][2], atol=1e-5)


def test_every_patch_sees_those_that_follow_it():
    net = a_net("nvae", ImageSpec(8, 8), likelihood="bernoulli")
    said = net.decoder.say(net.prior(1).draw(), torch.tensor([-1]))
    said[0, 0, 0, 0, 0].backward()  # a pixel of the first patch
    assert net.decoder.net.places.place_ND.grad[-1].abs().sum() > 0
