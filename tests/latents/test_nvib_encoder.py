"""NVIB layers: an ordinary encoder's weights can be wrapped without changing what it computes."""

import pytest
import torch

from synthloom.errors import UsageError
from synthloom.latents.nvib import NvibLatent
from synthloom.latents.nvib_encoder import NvibEncoder, mean_kl
from synthloom.nets.transformer import Encoder
from synthloom.rng import seeded


def setting(heads=4, width=32):
    with seeded("encoder", heads, width):
        encoder = Encoder(width, layers=4, heads=heads)
        for parameter in encoder.parameters():  # away from the normalisation's ones and zeros
            torch.nn.init.normal_(parameter, std=0.3) if parameter.dim() == 1 else None
        x_BnD, mask_Bn = torch.randn(3, 9, width), torch.arange(9) < torch.tensor([9, 6, 2])[:, None]
    return encoder, x_BnD, mask_Bn


def largest(difference):
    return difference.abs().max().item()


@pytest.mark.parametrize("heads", [1, 8])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_wrapping_changes_nothing(heads, temperature):
    encoder, x_BnD, mask_Bn = setting(heads)
    expected_BnD = encoder(x_BnD, mask_Bn)
    wrapped = NvibEncoder(encoder, layers=3, tokens=9)
    wrapped.initialise(x_BnD, mask_Bn)
    with seeded(1):
        found_BnD, posteriors = wrapped(x_BnD, mask_Bn, temperature)
    tolerance = 1e-5 if temperature == 0 else 1e-2  # a draw has weights of alpha about e^20: all but their means
    assert len(posteriors) == 3
    assert largest((found_BnD - expected_BnD)[mask_Bn]) < tolerance


def test_less_tau_alpha_gives_the_prior_more_attention():
    encoder, x_BnD, mask_Bn = setting()
    before_BnD = encoder(x_BnD, mask_Bn)
    wrapped = NvibEncoder(encoder, layers=2, tokens=9)
    changes, shares = [], []
    for tau_alpha in (20.0, 0.0, -20.0):
        wrapped.initialise(x_BnD, mask_Bn, tau_alpha=tau_alpha)
        found_BnD, posteriors = wrapped(x_BnD, mask_Bn, temperature=0.0)
        changes.append(largest((found_BnD - before_BnD)[mask_Bn]))
        shares.append(posteriors[0].mean.log_weight[:, 0].exp().mean().item())
    assert changes[0] < changes[1] < changes[2]
    assert shares[0] < shares[1] < shares[2]
    assert shares[2] > 0.9


def test_the_empirical_prior_is_the_datas():
    with seeded(2):
        latent, x_BnD = NvibLatent(6, 6, tokens=50), 2 * torch.randn(40, 50, 6) + 3
    mask_Bn = torch.rand(40, 50) > 0.3
    latent.initialise(x_BnD.masked_fill(~mask_Bn[..., None], 1e4), mask_Bn, noise=2.0, tau_mu=0.5, tau_sigma=0.3)
    assert largest(latent.prior_mu_P - 3) < 0.3
    assert largest(latent.prior_var_C - 4) < 0.6
    q = latent((x_BnD, mask_Bn)).process
    assert torch.allclose(q.mu_BNP[:, 1:], 0.5 * (x_BnD + latent.prior_mu_P), atol=1e-4)
    assert torch.allclose(q.var_BNC[:, 1:], 0.09 * latent.prior_var_C.expand_as(x_BnD), rtol=1e-3)
    with pytest.raises(UsageError, match="as wide"):
        NvibLatent(6, 2, tokens=50).initialise(x_BnD, mask_Bn, noise=2.0)


def test_padding_does_not_leak_and_alpha_can_accumulate():
    encoder, x_BnD, mask_Bn = setting()
    with seeded(3):
        net = NvibEncoder(encoder, layers=3, tokens=9, skip=True, delta=0.3)
    found_BnD, posteriors = net(x_BnD, mask_Bn, temperature=0.0)
    alone_BnD, _ = net(x_BnD[2:, :2], mask_Bn[2:, :2], temperature=0.0)
    assert largest(found_BnD[2, :2] - alone_BnD[0]) < 1e-5
    first, second = (q.process.log_alpha_BN[0, 1:] for q in posteriors[:2])
    assert torch.allclose(second, 2 * first, atol=1e-5)  # both layers' own is log Delta at first
    with pytest.raises(UsageError, match="skip"):
        net.initialise(x_BnD, mask_Bn)


def test_kl_is_averaged_over_layers():
    encoder, x_BnD, mask_Bn = setting()
    with seeded(4):
        _, posteriors = NvibEncoder(encoder, layers=3, tokens=9)(x_BnD, mask_Bn)
    each = torch.stack([q.kl()["gaussian"] for q in posteriors])
    assert torch.allclose(mean_kl(posteriors)["gaussian"], each.mean(0))
    expected = (each * torch.tensor([1.0, 2.0, 3.0])[:, None]).sum(0) / 6
    assert torch.allclose(mean_kl(posteriors, [1, 2, 3])["gaussian"], expected)


def test_gradients_reach_every_parameter():
    encoder, x_BnD, mask_Bn = setting()
    with seeded(5):
        net = NvibEncoder(encoder, layers=2, tokens=9)
        out_BnD, posteriors = net(x_BnD, mask_Bn)
    (out_BnD[mask_Bn].square().sum() + sum(nats_B.sum() for nats_B in mean_kl(posteriors).values())).backward()
    assert all(p.grad is not None and largest(p.grad) > 0 for p in net.parameters())


def test_layers_must_exist():
    encoder, _, _ = setting()
    with pytest.raises(UsageError, match="from 1 to"):
        NvibEncoder(encoder, layers=5, tokens=9)
