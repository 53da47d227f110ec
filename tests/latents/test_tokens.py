"""Latents of one vector per token: their KL is the textbook's, codes flatten and come back, mixing meets its ends."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from synthloom.latents.tokens import TokenLatent

WAYS = {
    "each": {},
    "pooled": {"pool": "mean"},
    "max": {"pool": "max"},
    "strided": {"keep": 0.4},
    "points": {"noise": False},
    "placed": {"keep": 0.4, "places": 4},
}


@pytest.fixture(params=WAYS)
def latent(request):
    torch.manual_seed(0)
    made = TokenLatent(features=6, size=3, tokens=7, **WAYS[request.param])
    torch.nn.init.normal_(made.log_variance.weight)
    return made


def features(lengths, tokens=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mask = torch.arange(tokens) < torch.tensor(lengths)[:, None]
    return torch.randn(len(lengths), tokens, 6, generator=generator), mask


def test_the_kl_is_the_textbooks_and_counts_real_vectors_alone(latent):
    q = latent(features([7, 3]))
    if not latent.noise:
        assert q.kl() == {}
        return
    nats = kl_divergence(Normal(q.mu_BNP, q.sigma_BNP), Normal(0.0, 1.0)).sum(2)
    assert torch.allclose(q.kl()["gaussian"], (nats * q.mask_BN).sum(1), atol=1e-5)


def test_padding_and_batch_mates_change_nothing(latent):
    x, mask = features([7, 3])
    alone = latent((x[1:, :3], mask[1:, :3])).mean
    together = latent((x, mask)).mean
    n = alone[1].sum()
    assert torch.allclose(alone[0][0, :n], together[0][1, :n], atol=1e-6)
    assert together[1][1].sum() == n


def test_codes_flatten_and_come_back(latent):
    lengths = torch.tensor([[7], [3], [1]])
    code = latent(features([7, 3, 1])).draw()
    back = latent.unflat(latent.flat(code), lengths)
    n = code[1].shape[1]
    assert torch.equal(back[1][:, :n], code[1])
    assert not back[1][:, n:].any()
    assert torch.equal(back[0][:, :n].masked_fill(~code[1][..., None], 0), code[0].masked_fill(~code[1][..., None], 0))
    again = latent.condition(code)
    assert torch.equal(latent.unflat(latent.flat(code), again)[1], back[1])


def test_the_prior_has_as_many_vectors_as_such_texts(latent):
    q = latent(features([7, 3, 1]))
    p = latent.prior(3, torch.tensor([[7], [3], [1]]))
    assert p.mask_BN.sum(1).tolist() == q.mask_BN.sum(1).tolist()
    assert latent.prior(2).mask_BN.all()
    if latent.noise:
        assert latent.prior(3).kl()["gaussian"].tolist() == [0, 0, 0]


def test_mixing_meets_its_ends_and_takes_either_length(latent):
    one, other = latent(features([7])), latent(features([3], tokens=3, seed=1))
    for t, end in ((0, one), (1, other)):
        assert torch.equal(one.mix(other, t).mean[0], end.mean[0])
    middle = one.mix(other, 0.5)
    n = other.mask_BN.sum()
    assert torch.allclose(middle.mu_BNP[0, :n], (one.mu_BNP[0, :n] + other.mu_BNP[0, :n]) / 2, atol=1e-6)
    assert middle.mask_BN.sum() == max(one.mask_BN.sum(), n)
    assert middle.draw()[0].isfinite().all()
    point = latent.point(other.mean)
    assert one.mix(point, 0.5).draw()[0].isfinite().all()


def test_no_temperature_is_the_mean(latent):
    q = latent(features([5]))
    assert torch.equal(q.draw(0.0)[0], q.mean[0])
    assert torch.equal(q.draw()[0], q.mean[0]) == (not latent.noise)


def test_what_is_hushed_says_no_more_than_its_length(latent):
    one, other = latent(features([7, 3])).draw(), latent(features([7, 3], seed=1)).draw()
    everyone = torch.tensor([True, True])
    for said, same in zip(latent.hush(one, everyone), latent.hush(other, everyone), strict=True):
        assert torch.equal(said, same)
    half = latent.hush(one, torch.tensor([True, False]))
    assert torch.equal(half[0][1], one[0][1])
    assert not torch.equal(half[0][0], one[0][0])


def test_places_are_told_to_the_decoder_and_to_nobody_else():
    torch.manual_seed(0)
    placed = TokenLatent(features=6, size=3, tokens=7, places=4)
    plain = TokenLatent(features=6, size=3, tokens=7)
    plain.load_state_dict(placed.state_dict())
    with_places, without = placed(features([7, 3])), plain(features([7, 3]))
    assert torch.equal(with_places.kl()["gaussian"], without.kl()["gaussian"])
    assert torch.equal(placed.flat(with_places.mean), plain.flat(without.mean))
    vectors = with_places.mean[0]
    assert torch.equal(vectors[:, :, :3], without.mean[0])
    assert torch.equal(vectors[0, :, 3:], vectors[1, :, 3:])
    assert torch.cdist(vectors[0, :, 3:], vectors[0, :, 3:]).fill_diagonal_(1).min() > 0.1
