"""The likelihood of an image: probabilities sum to one, draws come as often as they say, what is given stands."""

import pytest
import torch
from torch import nn

from synthloom.likelihoods.image import FAMILIES, Bernoulli, ImageDecoder
from synthloom.rng import seeded
from synthloom.spec import ImageBatch, ImageSpec

SPEC = ImageSpec(3, 4, 1, labels=2)
BELLS = pytest.mark.parametrize("name", ["logistic", "gaussian"])


class Says(nn.Module):
    """A network that says one number of each map, and moves it by the label."""

    def __init__(self, *numbers):
        super().__init__()
        self.numbers = nn.Parameter(torch.tensor(numbers))

    def forward(self, code, label_B):
        said_BK = self.numbers.expand(len(code), -1) + 0.1 * (label_B[:, None] + 1)
        return said_BK[:, :, None, None].expand(-1, -1, SPEC.height, SPEC.width)


def a_decoder(family, *numbers):
    return ImageDecoder(Says(*numbers), family, SPEC).eval()


@BELLS
@pytest.mark.parametrize("middle", [-0.3, 0.0, 0.42, 1.0, 1.7])
@pytest.mark.parametrize("log_width", [-9.0, -5.0, -1.0, 2.0])
@torch.no_grad()
def test_probabilities_of_all_levels_sum_to_one(name, middle, log_width):
    family = FAMILIES[name]()
    if name == "gaussian":
        family.log_scale.fill_(log_width)
    said_BKCHW = torch.tensor([middle, log_width])[: family.maps].view(1, -1, 1, 1, 1).expand(256, -1, 1, 1, 1)
    level_BCHW = (torch.arange(256) / 255).view(256, 1, 1, 1)
    nats_BCHW = family.log_prob(said_BKCHW, level_BCHW)
    assert nats_BCHW.isfinite().all()
    assert abs(nats_BCHW.double().exp().sum() - 1) < 2e-3


@BELLS
@torch.no_grad()
def test_levels_come_as_often_as_their_probability_says(name):
    decoder = a_decoder(FAMILIES[name](), *[0.9, -2.0][: FAMILIES[name].maps])
    n = 4_000
    with seeded(0, "draw"):
        pixel_BCHW = decoder(torch.zeros(n, 1)).draw().pixel_BCHW
    level_M = (pixel_BCHW * 255).round().flatten()
    said_BKCHW = decoder.say(torch.zeros(1, 1), torch.tensor([-1]))
    for level in (150, 200, 230, 255):  # the last takes all that is beyond
        chance = decoder.family.log_prob(said_BKCHW, torch.full((1, 1, 3, 4), level / 255)).exp()[0, 0, 0, 0].item()
        found = (level_M == level).float().mean().item()
        assert abs(found - chance) < 5 * (chance / len(level_M)) ** 0.5, level


@torch.no_grad()
def test_black_and_white_come_as_often_as_is_said_and_grey_is_seen_as_both():
    decoder = a_decoder(Bernoulli(), 0.4)
    with seeded(0, "draw"):
        drawn = decoder(torch.zeros(4_000, 1)).draw().pixel_BCHW
        seen = decoder.family.seen(torch.full((4_000, 1, 3, 4), 0.25))
    assert set(drawn.unique().tolist()) == set(seen.unique().tolist()) == {0, 1}
    white = decoder(torch.zeros(1, 1)).draw(temperature=0).pixel_BCHW
    assert (drawn.mean(0) - white[0]).abs().max() < 0.05
    assert abs(seen.mean() - 0.25) < 0.01
    both = [decoder(torch.zeros(1, 1)).log_prob(ImageBatch.of(torch.full((1, 3, 4, 1), v))) / 12 for v in (0.0, 1.0)]
    assert abs(sum(nats.exp() for nats in both) - 1) < 1e-6
    assert Bernoulli(dynamic=False).seen(torch.tensor([0.4, 0.6])).tolist() == [0, 1]


@pytest.mark.parametrize("name", FAMILIES)
def test_it_starts_at_the_mean_image_and_expects_it(name):
    family = FAMILIES[name]()
    decoder = a_decoder(family, *[0.0] * family.maps)
    mean_CHW = torch.linspace(0.01, 0.99, 12).view(1, 3, 4)
    decoder.start_at(mean_CHW)
    drawn = decoder(torch.zeros(2, 1)).draw(temperature=0.0)
    assert torch.allclose(drawn.pixel_BCHW, mean_CHW.expand(2, -1, -1, -1), atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_what_is_given_stands_what_is_not_known_counts_nothing_and_labels_matter(name):
    family = FAMILIES[name]()
    decoder = a_decoder(family, *[0.3, -1.0][: family.maps])
    known_BHW = torch.zeros(2, 3, 4, dtype=torch.bool)
    known_BHW[0, 1] = True
    given = ImageBatch.of(torch.full((2, 3, 4, 1), 1.0), torch.tensor([1, -1]), known_BHW)
    like = decoder(torch.zeros(2, 1))
    drawn = like.draw(given)
    assert (drawn.pixel_BCHW[0, 0, 1] == 1).all()
    assert drawn.label_B.tolist() == [1, -1]
    nats = like.log_prob(given)
    assert nats[1] == 0
    assert nats[0] < 0
    whole = ImageBatch.of(given.store_SHWC, torch.tensor([0, 1]))
    assert len(set(like.log_prob(whole).tolist())) == 2
