"""p(row | z) with one head per column: a categorical choice, and a Gaussian for the number that goes with it.

All columns are scored and drawn together: their logits lie side by side in groups of like size, so that a table of 500
columns costs a handful of kernels and not 500. A column with very many choices is spelled with two digits, the second
given the first, so that no row ever needs all of its logits.

Legend: B rows, C columns, G columns (or digits) of one group, K the widest of the group.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synthloom.spec import TableBatch, TableSpec

__all__ = ["TableHead", "TableLikelihood"]


class TableHead(nn.Module):
    """Features [B, W] -> the likelihood of a row."""

    absent: Tensor
    numbered_C: Tensor

    def __init__(self, width: int, spec: TableSpec) -> None:
        super().__init__()
        self.spec = spec
        # digit: (column, divisor, base, position among the digits of its column)
        digits = [(c, *digit, p) for c, block in enumerate(spec.blocks) for p, digit in enumerate(block.digits)]
        groups: dict[int, list[tuple[int, int, int, int]]] = {}
        for digit in digits:
            groups.setdefault(1 << max(1, math.ceil(math.log2(digit[2]))), []).append(digit)
        self.groups = [(size, members) for size, members in sorted(groups.items())]
        total = sum(size * len(members) for size, members in self.groups)
        self.logits = nn.Linear(width, total)
        absent = torch.cat([torch.arange(size) >= digit[2] for size, members in self.groups for digit in members])
        # -inf where a group is wider than the column: added to the bias, it costs nothing per row
        self.register_buffer("absent", torch.zeros(total).masked_fill(absent, -torch.inf), persistent=False)
        for g, (_, members) in enumerate(self.groups):
            for part, axis in (("column", 0), ("divisor", 1), ("base", 2)):
                values = torch.tensor([digit[axis] for digit in members])
                self.register_buffer(f"{part}_{g}", values, persistent=False)
        # how the first digit of a wide column bears on its second
        self.second = nn.ModuleDict(
            {
                str(c): nn.Embedding(block.digits[0][1], block.digits[1][1])
                for c, block in enumerate(spec.blocks)
                if len(block.digits) > 1
            }
        )
        for table in self.second.values():
            nn.init.zeros_(table.weight)  # type: ignore[arg-type]
        self.mean = nn.Linear(width, len(spec.blocks))
        self.log_sigma_C = nn.Parameter(torch.full((len(spec.blocks),), math.log(0.1) if spec.bounded else 0.0))
        numbered_C = torch.tensor([block.numbered for block in spec.blocks])
        self.register_buffer("numbered_C", numbered_C, persistent=False)

    @torch.no_grad()
    def start_at(self, batch: TableBatch) -> None:
        """Begin with the columns' own frequencies: what is left to learn is how they depend on each other."""
        self.logits.bias.copy_(self._log_frequencies(batch))

    @torch.no_grad()
    def calibrate(self, batch: TableBatch, like: TableLikelihood) -> None:
        """Move the biases so that `like`, on average, has the columns' own frequencies.

        Draws of the prior are not where the rows' own codes lie, and every column is a little off for it. One call
        takes most of that away, a few take nearly all.
        """
        had = torch.cat([part.softmax(2).mean(0).flatten() for part in like.logits_BGK])
        first = torch.cat([torch.full((size,), d[3] == 0) for size, members in self.groups for d in members])
        wanted = self._log_frequencies(batch).to(had)
        change = wanted - had.clamp(min=0.1 / len(batch)).log()
        self.logits.bias.add_(torch.where(first.to(had.device) & (self.absent == 0), change, 0))

    def _log_frequencies(self, batch: TableBatch) -> Tensor:
        """How often each digit of each column occurs, in the order of the logits."""
        logs = []
        for size, members in self.groups:
            for column, divisor, base, _ in members:
                known = batch.known_BC[:, column]
                digit = batch.choice_BC[known, column] // divisor % base
                count = torch.bincount(digit, minlength=size)[:size] + 0.5  # half a row for what was never seen
                logs.append((count / count[:base].sum()).log())
        return torch.cat(logs)

    def forward(self, features: Tensor) -> TableLikelihood:
        logits = F.linear(features, self.logits.weight, self.logits.bias + self.absent).float()
        sizes = [size * len(members) for size, members in self.groups]
        logits_BGK = tuple(
            part.view(len(part), len(members), size)
            for part, (size, members) in zip(torch.split(logits, sizes, dim=1), self.groups, strict=True)
        )
        mean_BC = self.mean(features).float()
        return TableLikelihood(self, logits_BGK, mean_BC.tanh() if self.spec.bounded else mean_BC)

    def buffer(self, part: str, group: int) -> Tensor:
        return self.get_buffer(f"{part}_{group}")


class TableLikelihood:
    """One distribution over rows per row of features."""

    def __init__(self, head: TableHead, logits_BGK: tuple[Tensor, ...], mean_BC: Tensor) -> None:
        self.head = head
        self.logits_BGK = logits_BGK
        self.mean_BC = mean_BC
        # the published bounds where numbers are bounded; a normal score may well spread wider for some rows
        self.sigma_C = head.log_sigma_C.clamp(math.log(0.01), 0.0 if head.spec.bounded else 1.0).exp()

    def log_prob(self, batch: TableBatch) -> Tensor:
        head = self.head
        total_B = torch.zeros_like(self.mean_BC[:, 0])
        for g, logits_BGK in enumerate(self.logits_BGK):
            column_G = head.buffer("column", g)
            digit_BG = batch.choice_BC[:, column_G] // head.buffer("divisor", g) % head.buffer("base", g)
            logits_BGK = self._given_first(g, logits_BGK, batch.choice_BC)
            nats_BG = F.cross_entropy(logits_BGK.flatten(0, 1), digit_BG.flatten(), reduction="none")
            total_B = total_B - (nats_BG.view_as(digit_BG) * batch.known_BC[:, column_G]).sum(1)
        score_BC = (batch.value_BC - self.mean_BC) / self.sigma_C
        nats_BC = 0.5 * score_BC.square() + self.sigma_C.log() + 0.5 * math.log(2 * math.pi)
        spoken_BC = batch.known_BC & (batch.choice_BC < head.numbered_C)
        return total_B - (nats_BC * spoken_BC).sum(1)

    @torch.no_grad()
    def draw(self, given: TableBatch | None = None, temperature: float = 1.0) -> TableBatch:
        choice_BC = self._choose(given, temperature)
        value_BC = self.mean_BC
        if temperature:
            value_BC = value_BC + temperature * self.sigma_C * torch.randn_like(value_BC)
        if given is not None:
            choice_BC = torch.where(given.known_BC, given.choice_BC, choice_BC)
            value_BC = torch.where(given.known_BC, given.value_BC, value_BC)
        value_BC = value_BC * (choice_BC < self.head.numbered_C)
        return TableBatch(choice_BC, value_BC, torch.ones_like(choice_BC, dtype=torch.bool))

    def _choose(self, given: TableBatch | None, temperature: float) -> Tensor:
        """One digit after the other; a second digit waits for the first."""
        head = self.head
        choice_BC = torch.zeros(self.mean_BC.shape, dtype=torch.int64, device=self.mean_BC.device)
        for position in (0, 1):
            for g, (_, members) in enumerate(head.groups):
                here = [i for i, digit in enumerate(members) if digit[3] == position]
                if not here:
                    continue
                logits_BGK = self._given_first(g, self.logits_BGK[g], choice_BC)[:, here]
                if temperature:  # Gumbel's trick: a draw from each softmax in one pass over the logits
                    logits_BGK = logits_BGK - temperature * torch.empty_like(logits_BGK).exponential_().log()
                digit_BG = logits_BGK.argmax(-1)
                column_G, divisor_G = head.buffer("column", g)[here], head.buffer("divisor", g)[here]
                choice_BC[:, column_G] += digit_BG * divisor_G
            if position == 0 and given is not None:  # what is given may be the first digit of a second
                choice_BC = torch.where(given.known_BC, given.choice_BC, choice_BC)
        # the last second digits of a wide column may stand for no choice at all
        most_C = torch.tensor([block.choices - 1 for block in head.spec.blocks], device=choice_BC.device)
        return torch.minimum(choice_BC, most_C)

    def _given_first(self, g: int, logits_BGK: Tensor, choice_BC: Tensor) -> Tensor:
        """Add to second digits what the first one says about them."""
        head = self.head
        for i, (c, _, base, position) in enumerate(head.groups[g][1]):
            if position == 1:
                extra_BK = head.second[str(c)](choice_BC[:, c] // base)
                extra_B1K = F.pad(extra_BK, (0, logits_BGK.shape[2] - base)).unsqueeze(1)
                logits_BGK = logits_BGK.index_add(1, torch.tensor([i], device=extra_BK.device), extra_B1K)
        return logits_BGK
