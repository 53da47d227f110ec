"""The smallest thing that the loop can train: points from a mixture of Gaussians, and a VAE of four linear maps.

Legend: N points, B of them in a batch, D coordinates.
"""

import math
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from synthloom import rng
from synthloom.latents.gaussian import GaussianLatent
from synthloom.training import Settings, loop
from synthloom.vae import VAE

D = 6


@dataclass(frozen=True)
class Points:
    x_ND: Tensor

    def __len__(self):
        return len(self.x_ND)

    def take(self, index):
        return Points(self.x_ND[index])

    def to(self, device):
        return Points(self.x_ND.to(device))


@dataclass(frozen=True)
class Spread:
    """Each coordinate on its own, with a spread of a half."""

    mean_BD: Tensor

    def log_prob(self, batch):
        return (-2 * (batch.x_ND - self.mean_BD.float()).square() - 0.5 * math.log(math.pi / 2)).sum(1)


class Reader(nn.Module):
    def __init__(self, width, dropout):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(D, width), nn.Tanh(), nn.Dropout(dropout))

    def forward(self, batch):
        return self.body(batch.x_ND)


class Writer(nn.Module):
    def __init__(self, size, width):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(size, width), nn.Tanh(), nn.Linear(width, D))

    def forward(self, code):
        return Spread(self.body(code))


def points(n=400, seed=0):
    with rng.seeded(seed, "points"):
        centre_KD = 2 * torch.randn(5, D)
        return Points(centre_KD[torch.randint(5, (n,))] + 0.3 * torch.randn(n, D))


def network(seed=0, width=16, dropout=0.1):
    with rng.seeded(seed, "network"):
        return VAE(Reader(width, dropout), GaussianLatent(width, 3), Writer(3, width))


def settings(**changed):
    return Settings(**({"epochs": 4, "batch_size": 50, "learning_rate": 1e-2, "seed": 0, "threads": 1} | changed))


def same(one, other):
    """Whether two networks hold the same bytes."""
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def break_elbo(vae, fault):
    """`fault(calls so far, parts)` stands between the network and whoever asks for its bound while it trains."""
    elbo, calls = vae.elbo, 0

    def broken(batch):
        nonlocal calls
        parts = elbo(batch)
        if vae.training:
            parts = fault(calls, parts)
            calls += 1
        return parts

    vae.elbo = broken
    return vae


class Clock:
    """Stands in for the loop's: a training step takes a second, anything else next to nothing."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        self.now += 1e-6
        return self.now

    def step(self, call, parts):
        self.now += 1
        return parts


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(loop, "time", clock)
    return clock


@pytest.fixture(scope="session")
def toy():
    return SimpleNamespace(
        Points=Points, points=points, network=network, settings=settings, same=same, break_elbo=break_elbo
    )
