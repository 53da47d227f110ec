"""The bottleneck against its definitions: both KLs, the draws, the lengths, and what must not go wrong."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch.distributions import Beta, Categorical, Dirichlet, Independent, MixtureSameFamily, Normal, kl_divergence

from synthloom.attention import DenoisingAttention, denoise
from synthloom.errors import UsageError
from synthloom.latents.nvib import (
    Clip,
    DirichletProcess,
    Mixture,
    NvibLatent,
    PriorProcess,
    kl_dirichlet,
    kl_draw,
    kl_gaussian,
    log_dirichlet,
    paper_scale,
)
from synthloom.rng import seeded

KAPPAS = [1, 3]


def process(B=3, n=5, P=4, *, kappa=1, delta=0.5, scalar=False, dtype=torch.float64):
    """Item b has n - b tokens."""
    mask_BN = torch.arange(n + 1) <= n - torch.arange(B)[:, None]
    C = 1 if scalar else P
    prior = PriorProcess(torch.zeros(P, dtype=dtype), torch.ones(C, dtype=dtype), torch.tensor(1.0), delta)
    mu_BNP = torch.randn(B, n + 1, P, dtype=dtype)
    var_BNC = torch.randn(B, n + 1, C, dtype=dtype).exp()
    log_alpha_BN = torch.randn(B, n + 1, dtype=dtype)
    mu_BNP[:, 0], var_BNC[:, 0], log_alpha_BN[:, 0] = 0, 1, 0
    return DirichletProcess(mu_BNP, var_BNC, log_alpha_BN.masked_fill(~mask_BN, -math.inf), mask_BN, prior, kappa)


def times(q, count):
    """A process for one item, for many items."""
    tensors = (q.mu_BNP, q.var_BNC, q.log_alpha_BN, q.mask_BN)
    return DirichletProcess(*(t.expand(count, *t.shape[1:]) for t in tensors), q.prior, q.kappa)


def features(latent, B=3, n=5):
    """Token vectors of which item b has n - b."""
    return torch.randn(B, n, latent.mu.in_features), torch.arange(n) < n - torch.arange(B)[:, None]


def largest(difference):
    return difference.abs().max().item()


# -- the KLs ----------------------------------------------------------------------------------------------------------


@given(alpha_0=st.floats(0.01, 1e4), alpha_p=st.floats(0.01, 1e4), kappa_0=st.integers(1, 300))
@settings(deadline=None)
def test_l_d_is_the_kl_of_two_symmetric_dirichlets(alpha_0, alpha_p, kappa_0):
    if kappa_0 == 1:  # torch wants two; of one sample the weight is one
        assert kl_dirichlet(alpha_0, alpha_p, 1).item() == pytest.approx(0, abs=1e-9)
        return
    q, p = (Dirichlet(torch.full((kappa_0,), alpha / kappa_0, dtype=torch.float64)) for alpha in (alpha_0, alpha_p))
    assert kl_dirichlet(alpha_0, alpha_p, kappa_0).item() == pytest.approx(
        kl_divergence(q, p).item(), rel=1e-9, abs=1e-7
    )


@given(alpha=st.floats(1e-3, 1e8), kappa_0=st.integers(1, 1000))
def test_l_d_is_nothing_where_the_totals_agree(alpha, kappa_0):
    assert abs(kl_dirichlet(alpha, alpha, kappa_0).item()) < 1e-6 * max(1.0, alpha * 1e-6)


@given(alpha_0=st.floats(0.05, 50), alpha_p=st.floats(0.05, 50), kappa_0=st.integers(2, 60))
def test_l_d_is_never_negative(alpha_0, alpha_p, kappa_0):
    assert kl_dirichlet(alpha_0, alpha_p, kappa_0).item() > -1e-9


def test_l_d_by_quadrature():
    """Two samples: a Beta, integrated numerically."""
    q, p = (Beta(*torch.full((2,), alpha / 2, dtype=torch.float64)) for alpha in (7.0, 3.0))
    x = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000
    integral = (q.log_prob(x).exp() * (q.log_prob(x) - p.log_prob(x))).mean()
    assert kl_dirichlet(7.0, 3.0, 2).item() == pytest.approx(integral.item(), abs=1e-8)


@pytest.mark.parametrize("scalar", [False, True])
def test_l_g_is_the_weighted_gaussian_kl(scalar):
    with seeded(1):
        q, weight_BN, prior_mu = process(scalar=scalar), torch.rand(3, 6).double(), torch.randn(4).double()
    prior_var = torch.tensor([0.5]).double() if scalar else torch.rand(4).double() + 0.2
    each = kl_divergence(
        Normal(q.mu_BNP, q.var_BNC.sqrt().expand_as(q.mu_BNP)), Normal(prior_mu, prior_var.sqrt().expand(4))
    )
    found = kl_gaussian(q.mu_BNP, q.var_BNC, weight_BN, 7, prior_mu, prior_var)
    assert largest(found - 7 * (weight_BN * each.sum(2)).sum(1)) < 1e-12


@pytest.mark.parametrize("kappa", KAPPAS)
def test_the_whole_kl_by_monte_carlo(kappa):
    """Draw kappa_0 weights, components and places; compare log densities. Without knowing which component a place came
    from, the KL can only be less."""
    draws = 20_000
    with seeded(2):
        q = process(B=1, n=2, P=2, kappa=kappa, delta=1.0)
        kappa_0 = 3 * kappa
        alpha_0, alpha_p = q.log_alpha_BN.exp().sum(), q.prior.total(q.tokens_B)[0].double()
        of_q, of_p = (Dirichlet((alpha / kappa_0).expand(kappa_0)) for alpha in (alpha_0, alpha_p))
        weights = of_q.sample((draws,))
        component = Categorical(logits=q.log_alpha_BN[0]).sample((draws, kappa_0))
        place = Normal(q.mu_BNP[0][component], q.var_BNC[0][component].sqrt()).sample()
    base = Normal(torch.zeros(2).double(), torch.ones(2).double())
    of_weights = of_q.log_prob(weights) - of_p.log_prob(weights)
    known = Normal(q.mu_BNP[0][component], q.var_BNC[0][component].sqrt()).log_prob(place) - base.log_prob(place)
    total = of_weights + known.sum((1, 2))
    error = total.std() / math.sqrt(draws)
    bound = sum(part.item() for part in q.kl().values())
    assert abs(total.mean().item() - bound) < 4 * error
    mixture = MixtureSameFamily(
        Categorical(logits=q.log_alpha_BN[0]), Independent(Normal(q.mu_BNP[0], q.var_BNC[0].sqrt()), 1)
    )
    unknown = of_weights + (mixture.log_prob(place) - base.log_prob(place).sum(2)).sum(1)
    assert unknown.mean().item() < bound + 4 * error


@pytest.mark.parametrize("kappa", KAPPAS)
@pytest.mark.parametrize("delta", [0.0, 0.3, 1.0])
def test_the_prior_is_no_nats_from_itself(kappa, delta):
    latent = NvibLatent(8, 4, tokens=20, delta=delta, kappa=kappa)
    kl = latent.prior(3, torch.tensor([[20], [7], [0]])).kl()
    assert all(largest(nats_B) < 1e-5 for nats_B in kl.values())


def test_the_papers_scale_is_per_vector_and_dimension():
    kl = {"gaussian": torch.tensor([60.0]), "dirichlet": torch.tensor([12.0])}
    assert paper_scale(kl, torch.tensor([6]), 5) == {"gaussian": torch.tensor([2.0]), "dirichlet": torch.tensor([2.0])}


def test_kl_is_counted_alone_and_without_padding():
    with seeded(3):
        q = process()
    together = q.kl()
    wrecked = DirichletProcess(
        q.mu_BNP.masked_fill(~q.mask_BN[..., None], math.nan),
        q.var_BNC.masked_fill(~q.mask_BN[..., None], math.nan),
        q.log_alpha_BN, q.mask_BN, q.prior,
    )  # fmt: skip
    alone = DirichletProcess(q.mu_BNP[2:, :4], q.var_BNC[2:, :4], q.log_alpha_BN[2:, :4], q.mask_BN[2:, :4], q.prior)
    for name, nats_B in together.items():
        assert torch.equal(wrecked.kl()[name], nats_B)
        assert largest(alone.kl()[name] - nats_B[2:]) < 1e-12


# -- draws ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.01, 0.3, 0.64, 2.0, 50.0])
def test_a_weight_has_its_beta_distribution(alpha):
    """Kolmogorov-Smirnov, on the logarithm where most of the mass of a small alpha is."""
    with seeded(4, str(alpha)):
        log_pi = log_dirichlet(torch.tensor([alpha, 1.0, 0.2]).log().double().expand(20_000, 3))[:, 0]
    beta = stats.beta(alpha, 1.2)
    least = 1e-300 ** min(1.0, alpha)  # where the reference still has digits
    found = stats.kstest(
        log_pi[log_pi > math.log(least)].exp().numpy(), lambda x: (beta.cdf(x) - beta.cdf(least)) / beta.sf(least)
    )
    assert found.pvalue > 1e-3


def test_log_weights_of_tiny_alpha_do_not_underflow():
    with seeded(5):
        log_pi = log_dirichlet(torch.tensor([1e-3, 1e-3]).log().expand(5000, 2))
    assert log_pi.isfinite().all()
    # the lesser of two is (U / U')^(1/alpha), nearly; the difference of two exponentials is one, up to its sign
    assert stats.kstest(-1e-3 * log_pi.min(1).values.numpy(), stats.expon().cdf).pvalue > 1e-3


@pytest.mark.parametrize("alpha", [0.05, 0.7, 3.0, 40.0])
def test_gradients_of_weights_are_unbiased(alpha):
    """E[pi_0] = m = alpha / (alpha + 1) against another of alpha 1, so d m / d log alpha = m (1 - m)."""
    draws = 40_000
    with seeded(6, str(alpha)):
        log_alpha = torch.tensor([math.log(alpha), 0.0], dtype=torch.float64).repeat(draws, 1).requires_grad_()
        log_dirichlet(log_alpha)[:, 0].exp().sum().backward()
    slope = log_alpha.grad[:, 0]
    mean = alpha / (alpha + 1)
    assert abs(slope.mean().item() - mean * (1 - mean)) < 4 * slope.std().item() / math.sqrt(draws)


@pytest.mark.parametrize("kappa", KAPPAS)
def test_draws_of_a_process_have_its_mean(kappa):
    """Averaged over draws of F, E_F[v] and the weight of each component are those of G_q."""
    draws = 4000
    with seeded(7):
        q = process(B=1, n=3, P=2, kappa=kappa)
        many = DirichletProcess(
            *(t.expand(draws, *t.shape[1:]) for t in (q.mu_BNP, q.var_BNC, q.log_alpha_BN, q.mask_BN)), q.prior, kappa
        )
        drawn = many.draw()
    weight_SN = drawn.log_weight.exp().view(draws, kappa, 4).sum(1)
    expected = q.log_alpha_BN[0].softmax(0)
    assert largest(weight_SN.mean(0) - expected) < 0.03
    value_SP = (drawn.log_weight.exp()[..., None] * drawn.mu).sum(1)
    assert largest(value_SP.mean(0) - (expected[:, None] * q.mu_BNP[0]).sum(0)) < 0.1
    # kappa samples per component leave its weight Dirichlet(alpha), whatever kappa
    alpha_0 = q.log_alpha_BN.exp().sum()
    assert largest(weight_SN.var(0) - expected * (1 - expected) / (alpha_0 + 1)) < 0.02


def test_temperature_scales_the_spread():
    draws = 4000
    with seeded(8):
        q = process(B=1, n=3, P=2)
        q = DirichletProcess(
            *(t.expand(draws, *t.shape[1:]) for t in (q.mu_BNP, q.var_BNC, q.log_alpha_BN, q.mask_BN)), q.prior
        )
        spreads = [q.draw(t) for t in (0.01, 0.5, 1.0)]
    places = [drawn.mu[:, 1].std(0) for drawn in spreads]
    assert torch.allclose(places[1] / places[2], torch.tensor(0.5).double(), rtol=0.1)
    weights = [drawn.log_weight.exp().std(0).sum().item() for drawn in spreads]
    assert weights[0] < 0.03 < weights[1] < weights[2]
    assert q.draw(0).var is q.mean.var is q.var_BNC


def test_noise_in_place_of_chance_keeps_codes_as_far_out_as_draws():
    with seeded(8):
        latent = NvibLatent(8, 4, tokens=5, typical=True, first_var=0.9)
        latent.settle(lambda: -latent.noise_NP.square().mean(), tries=1)
        x_BnD, mask_Bn = features(latent)
        q = latent((x_BnD[:1].expand(500, -1, -1), mask_Bn[:1].expand(500, -1)))
        drawn = {t: q.draw(t) for t in (0.0, 0.1, 0.6, 1.0)}
    still = drawn[0.0]
    assert torch.equal(still.mu, q.mean.mu)
    assert still.var is None
    assert torch.equal(still.mu[:1].expand_as(still.mu), still.mu)  # the same for each item, whoever is beside it
    off = {t: (code.mu - q.process.mu_BNP).square().mean().item() for t, code in drawn.items() if t}
    steps = [(drawn[t].mu - still.mu).square().mean().item() for t in (0.1, 0.6, 1.0)]
    assert steps[0] < 0.1 < steps[0] + steps[1] < steps[2] + steps[1]
    own = (still.mu - q.process.mu_BNP).square().mean().item()
    assert abs(off[0.6] - (0.36 * off[1.0] + 0.64 * own)) < 0.1  # between the two, and not nearer to the middle


@pytest.mark.parametrize("sign", [1, -1])
def test_the_noise_that_costs_least_is_kept_or_none(sign):
    with seeded(8):
        latent = NvibLatent(8, 4, tokens=5, typical=True)
        tried = []

        def cost():
            tried.append(sign * latent.noise_NP.square().mean())
            return tried[-1]

        latent.settle(cost, tries=5)
    assert len(tried) == 6
    assert sign * latent.noise_NP.square().mean() == min(tried) < max(tried)
    assert 0 in tried
    assert torch.equal(latent.state_dict()["noise_NP"], latent.noise_NP)


def test_draw_or_mean_is_never_the_mode():
    with seeded(9):
        latent = NvibLatent(8, 4, tokens=5, kappa=2)
        batch = features(latent)
    for mode in (True, False):
        latent.train(mode)
        with seeded(10):
            mean, draw = latent(batch).mean, latent(batch).draw()
        assert (mean.mu.shape[1], draw.mu.shape[1]) == (6, 12)  # kappa is for draws only
        assert mean.var is not None
        assert draw.var is None
        if mode:
            first = draw
    assert torch.equal(first.mu, draw.mu)


def test_same_seed_same_draw_and_no_seed_a_new_one():
    with seeded(11):
        q = process()
    drawn = []
    for _ in range(2):
        with seeded(12):
            drawn.append(q.draw())
    assert torch.equal(drawn[0].log_weight, drawn[1].log_weight)
    assert not torch.equal(q.draw().mu, q.draw().mu)


# -- what must not go wrong -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("log_alpha", [-1e4, -40.0, 30.0, 1e4])
@pytest.mark.parametrize("kappa", KAPPAS)
@pytest.mark.parametrize("temperature", [0.0, 0.3, 1.0])
def test_gradients_are_finite_whatever_alpha(log_alpha, kappa, temperature):
    """alpha -> 0 (one token or all), alpha large, tails of padding, an item without tokens, kappa > 1."""
    with seeded(13):
        latent, attention = NvibLatent(8, 4, tokens=5, kappa=kappa), DenoisingAttention(16, components=4, heads=2)
        x_BnD, mask_Bn = features(latent, B=6)
        before_Bn = torch.zeros(6, 5)
        before_Bn[0] = before_Bn[1:, 0] = log_alpha
        q = latent.posterior(x_BnD.requires_grad_(), mask_Bn, before_Bn)
        value = attention(torch.randn(6, 3, 16), attention.remember(q.draw(temperature)))
        loss = value.square().sum() + 1e-3 * sum(nats_B.clamp(max=1e6).sum() for nats_B in q.kl().values())
        loss.backward()
    assert loss.isfinite()
    assert all(
        p.grad is None or p.grad.isfinite().all() for p in [x_BnD, *latent.parameters(), *attention.parameters()]
    )


def test_training_with_padding_stays_finite_and_learns():
    with seeded(14):
        latent, attention = NvibLatent(8, 3, tokens=5, delta=0.3), DenoisingAttention(8, components=3)
        x_BnD, mask_Bn = features(latent, B=5)
        optimiser = torch.optim.Adam([*latent.parameters(), *attention.parameters()], lr=0.01)
        losses = []
        for _ in range(60):
            q = latent((x_BnD, mask_Bn))
            error_BnD = attention(x_BnD, attention.remember(q.draw())) - x_BnD
            loss = error_BnD[mask_Bn].square().mean() + 1e-4 * sum(nats_B.mean() for nats_B in q.kl().values())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
    assert all(map(math.isfinite, losses))
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])


@pytest.mark.parametrize("delta", [0.0, 0.05, 1.0])
@pytest.mark.parametrize("kappa", KAPPAS)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_the_prior_can_be_read_at_any_length(delta, kappa, temperature):
    """Also where every alpha lies below the threshold of pruning: something is always left to attend to."""
    with seeded(15):
        latent = NvibLatent(8, 4, tokens=60, delta=delta, kappa=kappa)
        q = latent.prior(4, torch.tensor([[60], [21], [5], [0]])).process
        u_BHMP = torch.randn(4, 2, 3, 4)
        for each in (q, q.prune(), q.prune(1e9)):
            mix = each.draw(temperature)
            assert torch.allclose(mix.log_weight.exp().sum(1), torch.ones(4))
            assert denoise(u_BHMP, mix, 1.0).isfinite().all()
    assert q.prune(1e9).mean.mask_BN.sum(1).tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("kappa", KAPPAS)
def test_prior_weights_are_drawn_from_the_dirichlet(kappa):
    """pi of the prior, at any kappa: Dirichlet with a total of alpha_p + Delta n, spread over its samples."""
    n, draws = 9, 4000
    with seeded(16):
        latent = NvibLatent(8, 1, tokens=n, delta=0.4, kappa=kappa, prior_alpha=1.5)
        log_weight = latent.prior(draws).draw().log_weight
    assert log_weight.shape == (draws, kappa * (n + 1))
    each = (1.5 + 0.4 * n) / (kappa * (n + 1))
    beta = stats.beta(each, each * (kappa * (n + 1) - 1))
    assert stats.kstest(log_weight[:, 3].exp().double().numpy(), beta.cdf).pvalue > 1e-3


def test_lengths_follow_the_training_items():
    with seeded(17):
        latent = NvibLatent(8, 2, tokens=12)
        assert latent.conditions(50).eq(12).all()  # until told otherwise, items are full
        lengths_N = torch.randint(2, 9, (3000,))
        latent.observe(lengths_N)
        q = latent.prior(5000)
    found = torch.bincount(q.process.tokens_B, minlength=13)
    assert len(q) == 5000
    expected = torch.bincount(lengths_N, minlength=13) * 5000 / 3000
    kept = expected > 0
    assert found[~kept].sum() == 0
    assert stats.chisquare(found[kept].numpy(), expected[kept].numpy()).pvalue > 1e-3
    with pytest.raises(UsageError, match="12 tokens"):
        latent.observe(torch.tensor([13]))


def test_constants_are_buffers():
    latent = NvibLatent(8, 4, tokens=5, prior_mu=0.5, prior_alpha=2.0)
    latent.observe(torch.tensor([3, 3, 5]))
    other = NvibLatent(8, 4, tokens=5)
    other.load_state_dict(latent.state_dict())
    assert {"prior_mu_P", "prior_var_C", "prior_log_alpha", "length_L"} <= set(other.state_dict())
    assert torch.equal(
        other.prior(3, torch.tensor([[5], [3], [1]])).mean.log_weight,
        latent.prior(3, torch.tensor([[5], [3], [1]])).mean.log_weight,
    )
    assert set(other.conditions(50)[:, 0].tolist()) == {3, 5}
    meta = latent.to("meta")
    assert meta.prior(2, torch.ones(2, 1, dtype=torch.long, device="meta")).mean.mu.device.type == "meta"


def test_an_item_stands_alone():
    with seeded(18):
        latent = NvibLatent(8, 4, tokens=9)
        x_BnD, mask_Bn = features(latent)
        longer = (
            torch.cat([x_BnD, torch.randn(3, 4, 8)], 1),
            torch.cat([mask_Bn, torch.zeros(3, 4, dtype=torch.bool)], 1),
        )
    whole, alone = latent(longer), latent((x_BnD[2:, :3], mask_Bn[2:, :3]))
    assert largest(whole.mean.mu[2:, :4] - alone.mean.mu) < 1e-6
    assert largest(whole.mean.log_weight[2:, :4] - alone.mean.log_weight) < 1e-6
    assert whole.mean.mask_BN.sum(1).tolist() == [6, 5, 4]
    for name, nats_B in whole.kl().items():
        assert torch.allclose(nats_B[2:], alone.kl()[name], rtol=1e-5)


def test_gradients_reach_every_parameter():
    with seeded(19):
        latent = NvibLatent(8, 4, tokens=5)
        q = latent(features(latent))
        mix = q.draw()
        (denoise(torch.randn(3, 1, 2, 4), mix, 1.0).square().sum() + q.kl()["gaussian"].sum()).backward()
    assert all(largest(p.grad) > 0 for p in latent.parameters())


def test_scalar_variance_is_one_number_per_component():
    with seeded(20):
        latent = NvibLatent(8, 4, tokens=5, scalar_variance=True)
        q = latent(features(latent))
    assert q.mean.var.shape == (3, 6, 1)
    assert q.draw().mu[0, 1].unique().numel() == 4  # but its noise differs between dimensions
    assert q.kl()["gaussian"].isfinite().all()


def test_clipping_holds_its_bounds_and_lets_gradients_back():
    clip = Clip(mu=3.0, shrink=1.1, alpha=0.7)
    with seeded(21):
        latent = NvibLatent(8, 4, tokens=5, clip=clip, prior_mu=1.0, prior_var=4.0)
        for linear in (latent.mu, latent.log_variance, latent.log_alpha):
            torch.nn.init.normal_(linear.weight, std=0.5)
        x_BnD, mask_Bn = features(latent)
        q = latent.posterior((2 * x_BnD).requires_grad_(), mask_Bn)
    assert largest(q.process.mu_BNP - 1) <= 3 * 2 + 1e-5
    assert q.process.var_BNC.min() >= (1 - 1 / 1.1) * 4 - 1e-5
    assert q.process.log_alpha_BN[:, 1:].max() <= math.log(0.7) + 1e-6
    q.process.mu_BNP.sum().backward(retain_graph=True)
    assert latent.mu.bias.grad.min() > 0


def test_survey_counts_what_survives():
    with seeded(22):
        q = process(B=2, n=4)
    log_alpha_BN = torch.tensor([[0.0, 1.0, -5.0, 0.0, -9.0], [0.0, -5.0, -5.0, 0.0, -math.inf]]).double()
    q = DirichletProcess(q.mu_BNP, q.var_BNC, log_alpha_BN, q.mask_BN, q.prior)
    survey = q.survey()
    assert survey["survivors"].tolist() == [2, 1]
    assert survey["survivor_share"].tolist() == pytest.approx([2 / 4, 1 / 3])
    assert survey["alpha"].tolist() == pytest.approx(log_alpha_BN.exp().sum(1).tolist())
    assert survey["prior_alpha"].tolist() == [1 + 0.5 * 4, 1 + 0.5 * 3]
    assert q.prune().mean.mask_BN.sum(1).tolist() == [3, 2]
    assert q.prune().tokens_B.tolist() == [4, 3]


# -- interpolation ----------------------------------------------------------------------------------------------------


def test_mixing_is_a_mixture_of_the_two():
    with seeded(23):
        latent = NvibLatent(8, 4, tokens=5)
        one, two = latent(features(latent)), latent(features(latent))
        u_BHMP = torch.randn(3, 1, 2, 4)
    assert one.mix(two, 0.0) == one
    assert one.mix(two, 1.0) == two
    quarter = one.mix(two, 0.25).mean
    assert quarter.mu.shape[1] == 12
    assert torch.allclose(quarter.log_weight[:, 6:].exp().sum(1), torch.tensor(0.25))
    assert torch.allclose(quarter.log_weight[:, :6].softmax(1), one.mean.log_weight.exp())
    nested = one.mix(two, 0.5).mix(one, 0.5)
    assert nested.shares == (0.25, 0.5 * 0.5, 0.5)
    assert torch.allclose(nested.kl()["gaussian"], 0.75 * one.kl()["gaussian"] + 0.25 * two.kl()["gaussian"])
    assert denoise(u_BHMP, nested.draw(), 1.0).isfinite().all()


def test_a_fitted_priors_code_can_be_mixed_with_a_posterior():
    with seeded(24):
        latent = NvibLatent(8, 4, tokens=5)
        q = latent(features(latent))
        code = latent.prior(3, torch.tensor([[5], [4], [3]])).draw()
    point = latent.point(code)
    assert point.draw(0.7) is code
    assert q.mix(point, 1.0).draw() is code
    drawn = q.mix(point, 0.5).draw(0.5)
    assert torch.equal(drawn.mu[:, 6:], code.mu)
    assert q.mix(point, 0.5).mean.var.shape == (3, 12, 4)
    assert q.mix(point, 0.5).kl()["gaussian"].isinf().all()


# -- flat codes -------------------------------------------------------------------------------------------------------


def test_unflat_undoes_flat():
    with seeded(25):
        latent = NvibLatent(8, 4, tokens=7)
        tokens_B1 = torch.tensor([[7], [3], [0]])
        code = latent.prior(3, tokens_B1).draw()
    assert torch.equal(latent.condition(code), tokens_B1)
    code_BF = latent.flat(code)
    assert code_BF.shape == (3, 8 * 5)
    back = latent.unflat(code_BF, latent.condition(code))
    there = code.mask_BN & (code.log_weight > code.log_weight.max(1, keepdim=True).values - 12)
    assert torch.equal(back.mask_BN, code.mask_BN)
    assert torch.allclose(back.mu[code.mask_BN], code.mu[code.mask_BN])
    assert torch.allclose(back.log_weight[there], code.log_weight[there], atol=1e-3)
    assert torch.allclose(latent.flat(back), code_BF, atol=1e-5)


def test_places_are_told_to_the_decoder_and_to_nobody_else():
    with seeded(29):
        placed, plain = NvibLatent(8, 4, tokens=5, places=6), NvibLatent(8, 4, tokens=5)
        plain.load_state_dict(placed.state_dict())
        x = features(plain)
    q, p = placed(x), plain(x)
    assert all(torch.equal(nats_B, p.kl()[name]) for name, nats_B in q.kl().items())
    assert torch.equal(placed.flat(q.mean), plain.flat(p.mean))
    assert q.mean.mu.shape[2] == q.mean.var.shape[2] == 10
    assert torch.equal(q.mean.mu[0, :, 4:], q.draw().mu[1, :, 4:])
    assert not q.mean.var[:, :, 4:].any()
    back = placed.unflat(placed.flat(q.mean), torch.tensor([[5], [4], [3]]))
    assert torch.allclose(back.mu[q.mean.mask_BN], q.mean.mu[q.mean.mask_BN], atol=1e-6)


@pytest.mark.parametrize("places", [0, 6])
def test_what_is_hushed_says_no_more_than_its_length(places):
    with seeded(30):
        latent = NvibLatent(8, 4, tokens=5, places=places)
        one, other = latent(features(latent)).draw(), latent(features(latent)).draw()
    everyone = torch.ones(3, dtype=torch.bool)
    assert torch.equal(latent.hush(one, everyone).mu, latent.hush(other, everyone).mu)
    assert torch.equal(latent.hush(one, everyone).log_weight, latent.hush(other, everyone).log_weight)
    assert torch.equal(latent.hush(one, everyone).mask_BN, one.mask_BN)
    half = latent.hush(one, torch.tensor([True, False, False]))
    assert torch.equal(half.mu[1:], one.mu[1:])
    assert not torch.equal(half.mu[0], one.mu[0])


def test_flat_codes_are_tame():
    """Weights of e^-1000 are as good as e^-12: what a learned prior sees stays in a range that it can learn."""
    with seeded(26):
        latent = NvibLatent(8, 2, tokens=5, prior_alpha=1e-3, delta=0.0)
        code_BF = latent.flat(latent.prior(100).draw())
    assert code_BF.isfinite().all()
    assert largest(code_BF) < 13


def test_flat_pads_shorter_items_and_refuses_longer_ones():
    with seeded(27):
        latent = NvibLatent(8, 4, tokens=7)
        q = latent(features(latent, n=5))
    assert latent.flat(q.mean).shape == latent.flat(q.draw()).shape == (3, 40)
    with pytest.raises(UsageError, match="holds 8 components"):
        latent.flat(q.mix(q, 0.5).mean)


@pytest.mark.parametrize("knobs", [{"delta": -1.0}, {"kappa": 0}, {"prior_var": 0.0}, {"prior_alpha": 0.0}])
def test_impossible_knobs_are_refused(knobs):
    with pytest.raises(UsageError, match="however"):
        NvibLatent(8, 4, tokens=5, **knobs)


def test_the_contract_names_are_here():
    assert Mixture.__module__ == "synthloom.attention"


# -- the KL of a draw -------------------------------------------------------------------------------------------------


def test_the_kl_of_a_draw_is_that_of_its_dirichlet_and_of_all_its_gaussians():
    torch.manual_seed(0)
    mu_BNP, log_alpha_BN = torch.randn(3, 5, 2).double(), torch.randn(3, 5).double()
    var_BNP, alpha_p_B = torch.rand(3, 5, 2).double() + 0.1, torch.tensor([2.0, 2.5, 9.0]).double()
    kl = kl_draw(mu_BNP, var_BNP, log_alpha_BN, alpha_p_B, 0.5, 2.0)
    prior = torch.distributions.Dirichlet((alpha_p_B / 5)[:, None].expand(3, 5))
    weights = torch.distributions.kl_divergence(torch.distributions.Dirichlet(log_alpha_BN.exp()), prior)
    unit = torch.distributions.Normal(torch.tensor(0.5).double(), torch.tensor(2.0).double().sqrt())
    places = torch.distributions.kl_divergence(torch.distributions.Normal(mu_BNP, var_BNP.sqrt()), unit).sum((1, 2))
    torch.testing.assert_close(kl["dirichlet"], weights, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(kl["gaussian"], places, rtol=1e-12, atol=1e-12)


def test_padding_has_no_part_in_the_kl_of_a_draw():
    torch.manual_seed(0)
    latent = NvibLatent(features=8, size=3, tokens=6, exact=True)
    x_BnD, mask_Bn = torch.randn(2, 6, 8), torch.arange(6) < torch.tensor([[6], [4]])
    whole = latent((x_BnD, mask_Bn)).kl()
    alone = latent((x_BnD[1:, :4], mask_Bn[1:, :4])).kl()
    for part in ("gaussian", "dirichlet"):
        torch.testing.assert_close(whole[part][1:], alone[part])
    x_BnD[1, 4:] = 1e4
    torch.testing.assert_close(latent((x_BnD, mask_Bn)).kl()["gaussian"], whole["gaussian"])


def test_light_components_say_things_that_l_g_hardly_counts():
    """Why there is a second KL: a place far away costs L_G its share of alpha, and a draw shows it all the same."""
    mu_BNP = torch.tensor([[[0.0], [8.0]]])
    var_BNP, log_alpha_BN = torch.full((1, 2, 1), 0.1), torch.tensor([[0.0, -10.0]])
    counted = kl_gaussian(mu_BNP, var_BNP, log_alpha_BN.softmax(1), 2, 0.0, 1.0)
    shown = kl_draw(mu_BNP, var_BNP, log_alpha_BN, torch.tensor([2.0]), 0.0, 1.0)["gaussian"]
    assert counted < 2 < 30 < shown
