"""Codes that come under a condition: an item's number of tokens goes into the learned prior, and is obeyed by it."""

from typing import ClassVar

import pandas as pd
import pytest
import torch
from torch import nn

import synthloom as sl
from synthloom.latents.nvib import NvibLatent
from synthloom.likelihoods.table import TableHead
from synthloom.models import MODELS
from synthloom.models.base import TableModel
from synthloom.nets.rows import RowReader
from synthloom.rng import seeded
from synthloom.training import Constant
from synthloom.vae import VAE

TOKENS = 4


class Tokens(nn.Module):
    """A row as a set of 1 to 4 vectors, as many as its first column says."""

    def __init__(self, spec):
        super().__init__()
        self.row, self.place = RowReader(spec, 8), nn.Embedding(TOKENS, 8)

    def forward(self, batch):
        mask_Bn = torch.arange(TOKENS) <= batch.choice_BC[:, :1]
        return self.row(batch)[:, None] + self.place.weight, mask_Bn


class Pooled(nn.Module):
    """Reads the weighted mean of a set."""

    def __init__(self, spec):
        super().__init__()
        self.head = TableHead(2, spec)

    def forward(self, mix):
        return self.head((mix.log_weight.exp()[:, :, None] * mix.mu).sum(1))


class SetVAE(TableModel):
    """Rows as sets of different sizes."""

    name: ClassVar[str] = "set"

    def build(self, spec):
        return VAE(Tokens(spec), NvibLatent(8, 2, TOKENS), Pooled(spec))

    def prepare(self, net, batch):
        net.latent.observe(batch.choice_BC[:, 0] + 1)

    def schedule(self):
        return Constant(1.0)


@pytest.fixture(scope="module")
def real():
    with seeded("rows"):
        return pd.DataFrame(
            {
                "size": [
                    ["one", "two", "three", "four"][k]
                    for k in torch.multinomial(torch.tensor([4.0, 1, 2, 1]), 600, True)
                ],
                "colour": [["red", "blue"][k] for k in torch.randint(2, (600,))],
            }
        )


@pytest.fixture(scope="module")
def fitted(real):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS, ("table", "set"), SetVAE)
        yield sl.TableSynthesizer("set", seed=0, epochs=2, validation=0, prior="mixture").fit(real)


def sizes(code):
    return torch.bincount(code.mask_BN.sum(1) - 1, minlength=TOKENS + 1) / len(code)


@pytest.mark.parametrize("learned", [True, False])
def test_lengths_are_as_in_the_training_items(fitted, real, learned):
    net = fitted.net_
    assert net.learned_prior.condition == 1
    with seeded("draw"):
        drawn_L = sizes(net.prior(5000, learned=learned).draw())
        trained_L = sizes(net.infer(fitted.codec_.encode(real)).draw())
    assert trained_L[0] == 0
    assert (drawn_L - trained_L).abs().max() < 0.03


@pytest.mark.parametrize("learned", [True, False])
def test_a_given_length_is_obeyed(fitted, learned):
    wanted_B1 = torch.arange(1, TOKENS + 1).repeat(5)[:, None]
    with seeded("draw"):
        code = fitted.net_.prior(20, wanted_B1, learned=learned).draw()
    assert torch.equal(fitted.net_.latent.condition(code), wanted_B1)


def test_the_learned_prior_heeds_its_condition(fitted, real):
    """Where the first token lies depends on how many there are; what is drawn for a length lies there too."""
    net = fitted.net_
    tokens_B1 = torch.tensor([[1], [TOKENS]]).repeat(1000, 1)
    with seeded("draw"):
        own = net.infer(fitted.codec_.encode(real)).draw()
        drawn = net.prior(2000, tokens_B1).draw()
    own_B = net.latent.condition(own)[:, 0]
    near, far = (own.mu[own_B == tokens, 1].mean(0) for tokens in (1, TOKENS))
    assert (near - far).norm() > 0.5
    for of, place_P in ((1, near), (TOKENS, far)):
        found_P = drawn.mu[tokens_B1[:, 0] == of, 1].mean(0)
        assert (found_P - place_P).norm() < 0.3 * (near - far).norm()


def test_sampling_conditions_and_files_carry_it(fitted, tmp_path):
    """Through the whole synthesizer: rows, rows with a value given, and the model file."""
    assert set(fitted.sample(30, given={"colour": "red"}, seed=1)["colour"]) == {"red"}
    fitted.save(tmp_path / "m.loom")
    again = sl.load(tmp_path / "m.loom")
    pd.testing.assert_frame_equal(again.sample(50, seed=1), fitted.sample(50, seed=1))
