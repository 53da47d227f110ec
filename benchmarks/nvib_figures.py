"""The worked example of docs/nvib.md: a toy bottleneck in two dimensions, and its three figures.

    python benchmarks/nvib_figures.py [--steps 2000] [--out docs/figures]

Items are twelve points in the plane. Some lie anywhere and are what the item is about; the rest lie by the origin and
say nothing: the decoder, which is denoising attention itself and is asked for each point with noise on it, is not asked
for those. The encoder is a small Transformer; latent vectors live in the plane of the points, where they can be drawn.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch import nn

from synthloom.attention import Mixture, denoise
from synthloom.latents.nvib import NvibLatent, paper_scale
from synthloom.nets.transformer import Encoder
from synthloom.rng import seeded

POINTS, NOISE = 12, 0.25
LAMBDA_G, LAMBDA_D = 0.02, 1.0
DELTAS = (0.0, 0.1, 0.25, 0.5, 1.0)


def items(n, telling=None):
    """[n, POINTS, 2], and which of the points tell something [n, POINTS]."""
    count_B = torch.randint(1, 9, (n,)) if telling is None else torch.full((n,), telling)
    tell_BM = torch.rand(n, POINTS).argsort(1) < count_B[:, None]
    angle_BM, radius_BM = 6.2832 * torch.rand(n, POINTS), 1 + 1.5 * torch.rand(n, POINTS)
    place_BMP = torch.stack([angle_BM.cos(), angle_BM.sin()], 2) * (radius_BM * tell_BM)[:, :, None]
    return place_BMP + 0.1 * torch.randn(n, POINTS, 2), tell_BM


class Toy(nn.Module):
    def __init__(self, delta):
        super().__init__()
        self.first = nn.Linear(2, 32)
        self.encoder = Encoder(32, layers=2, heads=4)
        self.latent = NvibLatent(32, 2, tokens=POINTS, delta=delta, prior_var=2.25)

    def infer(self, x_BMP):
        return self.latent((self.encoder(self.first(x_BMP)), torch.ones(x_BMP.shape[:2], dtype=torch.bool)))

    def error(self, code, x_BMP, tell_BM):
        """Mean squared distance of the points that tell something."""
        seen_BMP = x_BMP + NOISE**0.5 * torch.randn_like(x_BMP)
        return (denoise(seen_BMP[:, None], code, NOISE)[:, 0] - x_BMP)[tell_BM].square().sum(1).mean()

    def loss(self, x_BMP, tell_BM, weight):
        q = self.infer(x_BMP)
        kl = paper_scale(q.kl(), torch.tensor(POINTS + 1), 2)
        rate = LAMBDA_G * kl["gaussian"].mean() + LAMBDA_D * kl["dirichlet"].mean()
        return self.error(q.draw(), x_BMP, tell_BM) + weight * rate


def train(delta, steps):
    with seeded("toy", str(delta)):
        toy = Toy(delta)
        optimiser = torch.optim.Adam(toy.parameters(), lr=2e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        for step in range(steps):
            weight = min(1.0, max(0.01, 4 * step / steps - 1))  # first learn to see, then what it costs
            loss = toy.loss(*items(64), weight)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return toy.requires_grad_(False)


def field(path):
    """Denoising attention to a mixture: where each observation is pulled, exactly and by the linear score."""
    mix = Mixture(
        mu=torch.tensor([[[-1.6, -0.8], [1.5, -1.0], [0.2, 1.5]]]),
        var=torch.tensor([[[0.02, 0.02], [1.2, 0.1], [0.25, 0.25]]]),
        log_weight=torch.tensor([[0.3, 0.4, 0.3]]).log(),
    )
    line = torch.linspace(-3.2, 3.2, 15)
    u_MP = torch.cartesian_prod(line, line)
    fine = torch.linspace(-3.4, 3.4, 120)
    v_VP = torch.cartesian_prod(fine, fine)
    density = torch.distributions.Normal(mix.mu[0], mix.var[0].sqrt()).log_prob(v_VP[:, None]).sum(2)
    density = (density + mix.log_weight[0]).exp().sum(1).view(120, 120)
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.4), sharex=True, sharey=True)
    for axis, linear in zip(axes, (False, True), strict=True):
        move_MP = denoise(u_MP[None, None], mix, noise=0.5, linear=linear)[0, 0] - u_MP
        axis.contour(fine, fine, density.T.clamp(max=0.5), levels=8, cmap="Blues", linewidths=0.9)
        axis.quiver(*u_MP.T, *move_MP.T, angles="xy", scale_units="xy", scale=1, width=0.003, color="0.35")
        axis.plot(*mix.mu[0].T, "o", color="tab:red", markersize=4)
        axis.set(title="linear score (no quadratic term)" if linear else "exact score", aspect="equal")
    save(figure, path)


def survivors(toys, path):
    """How many vectors survive, by Delta and by how many points tell something."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6))
    with seeded("survivors"):
        x_BMP, tell_BM = items(2000)
        count_B, counts, rows = tell_BM.sum(1), range(1, 9), []
        for delta, toy in toys.items():
            q = toy.infer(x_BMP)
            survey, error = q.process.survey(), toy.error(q.mean, x_BMP, tell_BM).sqrt()
            kept = survey["survivors"].float()
            mean = [kept[count_B == count].mean().item() for count in counts]
            rows.append((delta, survey["alpha"].mean(), kept.mean(), mean[1], mean[3], mean[7], error))
            axes[0].plot(counts, mean, "o-", label=f"Δ = {delta:g}")
    axes[0].plot(counts, counts, ":", color="0.5")
    axes[0].set(xlabel="points that tell something, of 12", ylabel="vectors that survive (α > 0.1)", ylim=(0, 12.4))
    axes[0].legend(fontsize=8)
    axes[1].plot([row[0] for row in rows], [row[1] for row in rows], "o-", label="learnt")
    axes[1].plot(DELTAS, [1 + POINTS * delta for delta in DELTAS], ":", color="0.5", label="α_p + Δ n")
    axes[1].set(xlabel="Δ", ylabel="total α")
    axes[1].legend(fontsize=8)
    save(figure, path)
    print(
        "| Δ | total α | vectors that survive | of 2 that tell | of 4 | of 8 | error of a point |\n" + "|---" * 7 + "|"
    )
    for delta, alpha, kept, *mean, error in rows:
        print(f"| {delta:g} | {alpha:.2f} | {kept:.1f} | " + " | ".join(f"{m:.1f}" for m in mean) + f" | {error:.2f} |")


def neighbours(toy, path):
    """Draws at rising strength: the item's own vectors fade, fall apart, and give way to the prior's."""
    figure, axes = plt.subplots(1, 4, figsize=(11, 3.1), sharex=True, sharey=True)
    with seeded("vary", 3):
        x_BMP, _ = items(1, telling=3)
        q = toy.infer(x_BMP.expand(6, -1, -1))
        for axis, strength in zip(axes, (0.0, 0.3, 0.6, 1.0), strict=True):
            code = q.mix(toy.latent.prior(6), strength).draw(strength)
            for index in range(6):
                weight_N = code.log_weight[index].exp()
                axis.scatter(*code.mu[index].T, s=160 * weight_N, alpha=0.6)
            axis.plot(*x_BMP[0].T, "+", color="0.3", markersize=5)
            axis.set(title=f"strength {strength:g}", aspect="equal", xlim=(-4.5, 4.5), ylim=(-4.5, 4.5))
    save(figure, path)


def save(figure, path):
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "figures")
    options = parser.parse_args()
    plt.switch_backend("Agg")
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    field(options.out / "nvib_denoising.png")
    toys = {delta: train(delta, options.steps) for delta in DELTAS}
    survivors(toys, options.out / "nvib_delta.png")
    neighbours(toys[0.25], options.out / "nvib_vary.png")


if __name__ == "__main__":
    main()
