"""Denoising attention against its definition, and against ordinary attention where the two are the same."""

import importlib.util
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from synthloom.attention import DenoisingAttention, Mixture, denoise
from synthloom.errors import UsageError
from synthloom.rng import seeded

WIDTHS_OF_VARIANCE = ["full", "scalar", "atoms"]


def mixture(B=3, N=6, P=4, variance="full", dtype=torch.float64, absent=2):
    var = {"full": (B, N, P), "scalar": (B, N, 1)}.get(variance)
    log_weight_BN = torch.randn(B, N, dtype=dtype)
    for row in range(1, B):
        log_weight_BN[row, N - min(row, absent) :] = -math.inf
    mu_BNP = torch.randn(B, N, P, dtype=dtype)
    return Mixture(mu_BNP, None if var is None else torch.randn(var, dtype=dtype).exp(), log_weight_BN)


def variance_of(mix):
    return torch.zeros_like(mix.mu) if mix.var is None else mix.var.expand_as(mix.mu)


def by_density(u_BHMP, mix, noise):
    """The definition: sum_i pi_i N(u; mu_i, var_i + s) E[v | u, i], normalised; nothing rearranged."""
    mu, var = mix.mu[:, None, None], variance_of(mix)[:, None, None]
    u = u_BHMP[:, :, :, None]
    log_density = torch.distributions.Normal(mu, (var + noise).sqrt()).log_prob(u).sum(-1)
    weight_BHMN = (log_density + mix.log_weight[:, None, None]).softmax(-1)
    mean_BHMNP = (noise * mu + var * u) / (noise + var)
    return (weight_BHMN[..., None] * mean_BHMNP).sum(3)


def by_projection(attention, x_BMD, mix):
    """The module, written with the definition: u = W_k^T (W_q x + b_q) in each head."""
    q_BHME = attention.query(x_BMD).unflatten(2, (attention.heads, -1)).transpose(1, 2)
    key_HEP = attention.key.weight.unflatten(0, (attention.heads, -1))
    value_HEP = attention.value.weight.unflatten(0, (attention.heads, -1))
    v_BHMP = by_density(torch.einsum("bhme,hep->bhmp", q_BHME, key_HEP), mix, math.sqrt(q_BHME.shape[3]))
    value_BMHE = torch.einsum("bhmp,hep->bmhe", v_BHMP, value_HEP)
    return attention.out(value_BMHE.flatten(2) + attention.value.bias)


def largest(difference):
    return difference.abs().max().item()


@pytest.mark.parametrize("variance", WIDTHS_OF_VARIANCE)
@pytest.mark.parametrize("heads", [1, 8])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_denoise_is_the_posterior_mean(variance, heads, dtype, tolerance):
    with seeded(1):
        mix = mixture(variance=variance, dtype=dtype)
        u_BHMP = 2 * torch.randn(3, heads, 5, 4, dtype=dtype)
    assert largest(denoise(u_BHMP, mix, noise=1.7) - by_density(u_BHMP, mix, 1.7)) < tolerance


def test_zero_variance_is_the_form_for_atoms():
    with seeded(2):
        mix, u_BHMP = mixture(variance="atoms"), torch.randn(3, 2, 5, 4).double()
    zero = Mixture(mix.mu, torch.zeros_like(mix.mu), mix.log_weight)
    assert largest(denoise(u_BHMP, mix, 2.0) - denoise(u_BHMP, zero, 2.0)) < 1e-14


@pytest.mark.parametrize("noise", [0.3, 2.0])
def test_denoise_is_the_integral(noise):
    """Against numerical integration of the definition, in one dimension."""
    with seeded(3):
        mix, u_BHMP = mixture(B=1, N=4, P=1), torch.randn(1, 1, 6, 1).double()
    v_V = torch.linspace(-40, 40, 80_001, dtype=torch.float64)
    prior_V = torch.zeros_like(v_V)
    for mu, var, log_weight in zip(mix.mu[0, :, 0], mix.var[0, :, 0], mix.log_weight[0], strict=True):
        prior_V += log_weight.exp() * torch.distributions.Normal(mu, var.sqrt()).log_prob(v_V).exp()
    joint_MV = prior_V * torch.distributions.Normal(v_V, noise**0.5).log_prob(u_BHMP[0, 0]).exp()
    expected_M = (joint_MV * v_V).sum(1) / joint_MV.sum(1)
    assert largest(denoise(u_BHMP, mix, noise)[0, 0, :, 0] - expected_M) < 1e-10


@given(
    B=st.integers(1, 3),
    N=st.integers(1, 7),
    P=st.integers(1, 5),
    M=st.integers(1, 4),
    heads=st.sampled_from([1, 2, 4]),
    variance=st.sampled_from(WIDTHS_OF_VARIANCE),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=40, deadline=None)
def test_module_is_the_definition(B, N, P, M, heads, variance, seed):
    with seeded(seed):
        attention = DenoisingAttention(8, components=P, heads=heads).double()
        mix, x_BMD = mixture(B, N, P, variance, absent=N - 1), torch.randn(B, M, 8).double()
    assert largest(attention(x_BMD, attention.remember(mix)) - by_projection(attention, x_BMD, mix)) < 1e-10


@pytest.mark.parametrize("variance", WIDTHS_OF_VARIANCE)
def test_module_in_float32(variance):
    with seeded(4):
        attention = DenoisingAttention(64, components=64, heads=8)
        mix, x_BMD = mixture(N=40, P=64, variance=variance, dtype=torch.float32), torch.randn(3, 9, 64)
    found = attention(x_BMD, attention.remember(mix))
    attention.double()
    exact = by_projection(attention, x_BMD.double(), Mixture(*(None if t is None else t.double() for t in fields(mix))))
    assert largest(found - exact) < 1e-5


def fields(mix):
    return mix.mu, mix.var, mix.log_weight


@pytest.mark.parametrize("heads", [1, 8])
@pytest.mark.parametrize("variance", [None, "tiny"])
def test_identity_settings_are_ordinary_attention(heads, variance):
    """log alpha = |z|^2 / (2 sqrt E) and no variance: softmax(q.k / sqrt E) v."""
    with seeded(5):
        attention = DenoisingAttention(32, components=32, heads=heads)
        z_BNP, x_BMD = torch.randn(2, 11, 32), torch.randn(2, 7, 32)
    var = None if variance is None else torch.full_like(z_BNP, 1e-12)
    mix = Mixture(z_BNP, var, z_BNP.square().sum(2) / (2 * attention.noise))

    def split(t):
        return t.unflatten(2, (heads, -1)).transpose(1, 2)

    ordinary = scaled_dot_product_attention(
        split(attention.query(x_BMD)), split(attention.key(z_BNP)), split(attention.value(z_BNP))
    )
    expected_BMD = attention.out(ordinary.transpose(1, 2).flatten(2))
    assert largest(attention(x_BMD, attention.remember(mix)) - expected_BMD) < 1e-5


def test_linear_score_differs_only_where_variances_do():
    with seeded(6):
        mix, u_BHMP = mixture(), torch.randn(3, 2, 5, 4).double()
    shared = Mixture(mix.mu, mix.var[:, :1].expand_as(mix.var), mix.log_weight)
    assert largest(denoise(u_BHMP, shared, 1.5, linear=True) - denoise(u_BHMP, shared, 1.5)) < 1e-12
    assert largest(denoise(u_BHMP, mix, 1.5, linear=True) - denoise(u_BHMP, mix, 1.5)) > 1e-3


def test_linear_score_is_the_released_one():
    """u.(mu / v) + log pi - 1/2 sum mu^2 / v - 1/2 sum log v, with the value interpolated between query and mean."""
    with seeded(7):
        mix, u_BHMP, s = mixture(), torch.randn(3, 2, 5, 4).double(), 1.5
    v = mix.var + s
    bias_BN = mix.log_weight - 0.5 * (mix.mu.square() / v).sum(2) - 0.5 * v.log().sum(2)
    a_BHMN = (torch.einsum("bhmp,bnp->bhmn", u_BHMP, mix.mu / v) + bias_BN[:, None, None]).softmax(3)
    expected = torch.einsum("bhmn,bnp->bhmp", a_BHMN, mix.var / v) * u_BHMP
    expected = expected + torch.einsum("bhmn,bnp->bhmp", a_BHMN, s / v * mix.mu)
    assert largest(denoise(u_BHMP, mix, s, linear=True) - expected) < 1e-12


@pytest.mark.parametrize("variance", WIDTHS_OF_VARIANCE)
def test_linear_module_is_linear_denoise(variance):
    with seeded(8):
        attention = DenoisingAttention(6, components=6, linear=True).double()
        mix, x_BMD = mixture(P=6, variance=variance), torch.randn(3, 5, 6).double()
    u_BMP = attention.query(x_BMD) @ attention.key.weight
    v_BMP = denoise(u_BMP[:, None], mix, attention.noise, linear=True)[:, 0]
    expected = attention.out(attention.value(v_BMP))
    assert largest(attention(x_BMD, attention.remember(mix)) - expected) < 1e-12


@pytest.mark.parametrize("variance", WIDTHS_OF_VARIANCE)
@pytest.mark.parametrize("heads", [1, 8])
def test_an_item_stands_alone(variance, heads):
    """Batch-mates, the length of the padding, what lies in it, and the order of the components change nothing."""
    with seeded(9):
        attention = DenoisingAttention(16, components=5, heads=heads).double()
        mix, x_BMD = mixture(P=5, variance=variance), torch.randn(3, 4, 16).double()
    together = attention(x_BMD, attention.remember(mix))

    last = torch.tensor([2])
    alone = mix.take(last)
    assert largest(attention(x_BMD[last], attention.remember(alone)) - together[last]) < 1e-12

    garbage = torch.full_like(mix.mu[:, :3], math.nan)
    padded = Mixture(
        torch.cat([mix.mu, garbage], 1),
        None if mix.var is None else torch.cat([mix.var, garbage[..., : mix.var.shape[2]]], 1),
        torch.cat([mix.log_weight, torch.full_like(mix.log_weight[:, :3], -math.inf)], 1),
    )
    assert largest(attention(x_BMD, attention.remember(padded)) - together) < 1e-12

    order = torch.randperm(6)
    shuffled = Mixture(mix.mu[:, order], None if mix.var is None else mix.var[:, order], mix.log_weight[:, order])
    assert largest(attention(x_BMD, attention.remember(shuffled)) - together) < 1e-12


@pytest.mark.parametrize("variance", WIDTHS_OF_VARIANCE)
def test_a_memory_serves_step_by_step(variance):
    with seeded(10):
        attention = DenoisingAttention(16, components=5, heads=2).double()
        mix, x_BMD = mixture(P=5, variance=variance), torch.randn(3, 4, 16).double()
    memory = attention.remember(mix)
    steps = torch.cat([attention(x_BMD[:, [m]], memory) for m in range(4)], 1)
    assert largest(steps - attention(x_BMD, memory)) < 1e-12
    index = torch.tensor([2, 0])
    assert largest(attention(x_BMD[index], memory.take(index)) - attention(x_BMD, memory)[index]) < 1e-12


@pytest.mark.parametrize("variance", WIDTHS_OF_VARIANCE)
def test_nothing_to_attend_to_is_nothing_not_nan(variance):
    with seeded(11):
        mix, u_BHMP = mixture(variance=variance, dtype=torch.float32), torch.randn(3, 2, 5, 4, requires_grad=True)
    leaves = [t.requires_grad_() for t in fields(mix) if t is not None]
    empty = Mixture(mix.mu, mix.var, torch.where(torch.arange(3)[:, None] == 1, -math.inf, mix.log_weight))
    value = denoise(u_BHMP, empty, 1.0)
    assert largest(value[1]) == 0
    value.sum().backward()
    assert all(leaf.grad.isfinite().all() for leaf in [u_BHMP, *leaves])


@pytest.mark.parametrize("extreme", [-1e20, -80.0, 80.0, 1e4])
@pytest.mark.parametrize("variance", WIDTHS_OF_VARIANCE)
def test_gradients_are_finite_for_extreme_weights(extreme, variance):
    with seeded(12):
        mix, u_BHMP = mixture(variance=variance, dtype=torch.float32), torch.randn(3, 2, 5, 4, requires_grad=True)
    log_weight_BN = mix.log_weight.clone()
    log_weight_BN[:, 0] = extreme
    leaves = [t.requires_grad_() for t in (mix.mu, mix.var, log_weight_BN) if t is not None]
    denoise(u_BHMP, Mixture(mix.mu, mix.var, log_weight_BN), 1.0).square().sum().backward()
    assert all(leaf.grad.isfinite().all() for leaf in [u_BHMP, *leaves])


@pytest.mark.parametrize("variance", WIDTHS_OF_VARIANCE)
@pytest.mark.parametrize("linear", [False, True])
def test_gradcheck(variance, linear):
    with seeded(13):
        mix = mixture(B=2, N=3, P=2, variance=variance, absent=1)
        u_BHMP = torch.randn(2, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    parameters = [t.requires_grad_() for t in (mix.mu, mix.var) if t is not None]
    finite_BN = mix.log_weight.nan_to_num(neginf=0.0).requires_grad_()

    def value(u, finite, mu, var=None):
        return denoise(u, Mixture(mu, var, torch.where(mix.mask_BN, finite, -math.inf)), 1.3, linear=linear)

    assert torch.autograd.gradcheck(value, (u_BHMP, finite_BN, *parameters))


@pytest.mark.parametrize("variance", WIDTHS_OF_VARIANCE)
def test_the_fused_kernel_takes_it(variance):
    """With the fused kernel as the only one allowed, gradients to the weights and padding included."""
    with seeded(14):
        attention = DenoisingAttention(16, components=5, heads=2)
        mix, x_BMD = mixture(P=5, variance=variance, dtype=torch.float32), torch.randn(3, 4, 16)
    leaves = [t.requires_grad_() for t in fields(mix) if t is not None]
    with sdpa_kernel([SDPBackend.FLASH_ATTENTION]):
        attention(x_BMD, attention.remember(mix)).sum().backward()
    assert all(largest(leaf.grad) > 0 for leaf in leaves)


def test_gradients_reach_every_parameter():
    with seeded(15):
        attention = DenoisingAttention(16, components=5, heads=2)
        mix, x_BMD = mixture(P=5, dtype=torch.float32), torch.randn(3, 4, 16)
    attention(x_BMD, attention.remember(mix)).square().sum().backward()
    assert all(largest(p.grad) > 0 for p in attention.parameters())


def test_low_precision_outside_does_not_reach_the_scores():
    """Under autocast only the projections are rounded: a large norm stays as close as a small one."""
    with seeded(16):
        mix, u_BHMP = mixture(dtype=torch.float32), 8 * torch.randn(3, 2, 5, 4)
    plain = denoise(u_BHMP, mix, 1.0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(denoise(u_BHMP, mix, 1.0), plain)


def test_blend_is_a_mixture_of_mixtures():
    with seeded(17):
        one, two, u_BHMP = mixture(), mixture(N=3, variance="atoms", absent=0), torch.randn(3, 1, 4, 4).double()
    both = Mixture.blend([0.25, 0.75], [one, two])
    assert torch.allclose(both.log_weight[:, :6].exp().sum(1), torch.tensor(0.25).double())
    assert torch.allclose(both.log_weight[:, 6:].exp().sum(1), torch.tensor(0.75).double())
    for share, same in ((1.0, one), (0.0, two)):
        blended = denoise(u_BHMP, Mixture.blend([share, 1 - share], [one, two]), 1.0)
        assert largest(blended - denoise(u_BHMP, same, 1.0)) < 1e-12


@pytest.mark.parametrize("variance", WIDTHS_OF_VARIANCE)
def test_no_items_give_no_values(variance):
    attention, mix = DenoisingAttention(16, components=4, heads=2).double(), mixture(variance=variance)
    none = attention.remember(mix.take(torch.zeros(0, dtype=torch.long)))
    assert attention(torch.zeros(0, 3, 16).double(), none).shape == (0, 3, 16)


def test_heads_must_divide_the_width():
    with pytest.raises(UsageError, match="multiple"):
        DenoisingAttention(10, components=2, heads=3)


def test_the_benchmark_compares_with_the_same_equations():
    path = Path(__file__).parents[1] / "benchmarks" / "denoising_attention.py"
    spec = importlib.util.spec_from_file_location("denoising_attention_benchmark", path)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    with seeded(18):
        attention = DenoisingAttention(16, components=16, heads=4).double()
        x_BMD = torch.randn(3, 5, 16).double()
        for variance in WIDTHS_OF_VARIANCE:
            mix = mixture(P=16, variance=variance)
            assert largest(benchmark.unfused(attention, x_BMD, mix) - by_projection(attention, x_BMD, mix)) < 1e-10
