"""p(row | z) with one head per column: a categorical choice, and a Gaussian for the number that goes with it.

All columns are scored together: their logits lie side by side, and one pass over them gives every softmax, so that a
table of 500 columns costs as many kernels as one of five. A column with very many choices is spelled with two digits,
the second given the first, so that no row ever needs all of its logits.

Legend: B rows, C columns, D digits, L logits of all digits, K of one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synthloom import devices
from synthloom.likelihoods.limits import Choice, choose, choose_digits, truncated
from synthloom.spec import Limit, Limits, TableBatch, TableSpec

__all__ = ["TableHead", "TableLikelihood"]

_CERTAIN = 80.0
"""Logits count as if they lay between -80 and 80: the exponentials of all of a column then add up within float32."""


class TableHead(nn.Module):
    """Features [B, W] -> the likelihood of a row."""

    start_D: Tensor
    digit_L: Tensor
    numbered_C: Tensor

    def __init__(self, width: int, spec: TableSpec) -> None:
        super().__init__()
        self.spec = spec
        self.bases = [digit.base for digit in spec.digits]
        digit_L = torch.tensor([d for d, base in enumerate(self.bases) for _ in range(base)])
        self.register_buffer("start_D", torch.tensor([0, *accumulate(self.bases[:-1])]), persistent=False)
        self.register_buffer("digit_L", digit_L, persistent=False)
        self.columns = _Columns(width, sum(self.bases) + len(spec.blocks))
        # how the first digit of a wide column bears on its second
        self.second = nn.ModuleDict(
            {str(d): nn.Embedding(self.bases[d - 1], self.bases[d]) for d in range(len(self.bases)) if spec.follows(d)}
        )
        for table in self.second.values():
            nn.init.zeros_(table.weight)  # type: ignore[arg-type]
        self.log_sigma_C = nn.Parameter(torch.full((len(spec.blocks),), math.log(0.1) if spec.bounded else 0.0))
        numbered_C = torch.tensor([block.numbered for block in spec.blocks])
        self.register_buffer("numbered_C", numbered_C, persistent=False)

    @torch.no_grad()
    def start_at(self, batch: TableBatch) -> None:
        """Begin with the columns' own frequencies: what is left to learn is how they depend on each other."""
        self.columns.bias[: len(self.digit_L)] = self._log_frequencies(batch)

    @torch.no_grad()
    def calibrate(self, batch: TableBatch, like: TableLikelihood) -> None:
        """Move the biases so that `like`, on average, has the columns' own frequencies.

        Draws of the prior are not where the rows' own codes lie, and every column is a little off for it. One call
        takes most of that away, a few take nearly all.
        """
        had = torch.cat([logits_KB.softmax(0).mean(1) for logits_KB in torch.split(like.logits_LB, self.bases)])
        change_L = self._log_frequencies(batch) - had.clamp(min=0.1 / len(batch)).log()
        second_D = torch.tensor([self.spec.follows(d) for d in range(len(self.bases))], device=had.device)
        self.columns.bias[: len(self.digit_L)] += change_L.masked_fill(second_D[self.digit_L], 0)

    def _log_frequencies(self, batch: TableBatch) -> Tensor:
        """How often each digit of each column occurs [L]."""
        digit_BD, known_BD = batch.spelled(self.spec)
        place = (digit_BD + self.start_D)[known_BD]
        count_L = torch.bincount(place, minlength=len(self.digit_L)) + 0.5  # half a row for what was never seen
        total_D = count_L.new_zeros(len(self.bases)).index_add(0, self.digit_L, count_L)
        return (count_L / total_D[self.digit_L]).log()

    def forward(self, features: Tensor) -> TableLikelihood:
        logits_LB, mean_CB = torch.split(self.columns(features).float(), [len(self.digit_L), len(self.numbered_C)])
        return TableLikelihood(self, logits_LB, (mean_CB.tanh() if self.spec.bounded else mean_CB).T)


class _Columns(nn.Linear):
    """A linear map whose result has the items last [L, B]: what belongs to one column are then neighbours in memory."""

    def forward(self, features: Tensor) -> Tensor:
        return torch.addmm(self.bias[:, None], self.weight, features.T)


class TableLikelihood:
    """One distribution over rows per row of features."""

    def __init__(self, head: TableHead, logits_LB: Tensor, mean_BC: Tensor) -> None:
        self.head = head
        self.logits_LB = logits_LB
        self.mean_BC = mean_BC
        # the published bounds where numbers are bounded; a normal score may well spread wider for some rows
        self.sigma_C = head.log_sigma_C.clamp(math.log(0.01), 0.0 if head.spec.bounded else 1.0).exp()

    def log_prob(self, batch: TableBatch) -> Tensor:
        head = self.head
        digit_BD, known_BD = batch.spelled(head.spec)
        logits_LB, place_DB = self._all_logits(digit_BD), (digit_BD + head.start_D).T.contiguous()
        if devices.one_by_one(logits_LB):
            odds_LB = logits_LB.clamp(-_CERTAIN, _CERTAIN)
            totals = [odds_KB.logsumexp(0) for odds_KB in torch.split(odds_LB, head.bases)]
            nats_DB = torch.stack(totals) - odds_LB.gather(0, place_DB)
        else:
            nats_DB = _Surprise.apply(logits_LB, place_DB, head.start_D, head.digit_L)  # type: ignore[no-untyped-call]
        score_BC = (batch.value_BC - self.mean_BC) / self.sigma_C
        nats_BC = 0.5 * score_BC.square() + self.sigma_C.log() + 0.5 * math.log(2 * math.pi)
        spoken_BC = batch.known_BC & (batch.choice_BC < head.numbered_C)
        return -(nats_DB * known_BD.T).sum(0) - (nats_BC * spoken_BC).sum(1)

    def _all_logits(self, digit_BD: Tensor) -> Tensor:
        """Those of second digits with what the first one says about them."""
        head = self.head
        if not head.second:
            return self.logits_LB
        parts = list(torch.split(self.logits_LB, head.bases))
        for d, table in head.second.items():
            parts[int(d)] = parts[int(d)] + table(digit_BD[:, int(d) - 1]).T
        return torch.cat(parts)

    @torch.no_grad()
    def draw(
        self,
        given: TableBatch | None = None,
        temperature: float = 1.0,
        limits: Limits | None = None,
        first: Sequence[int] = (),
    ) -> TableBatch:
        choice_BC = self._choose(given, temperature)
        value_BC = self.mean_BC
        if temperature:
            value_BC = value_BC + temperature * self.sigma_C * torch.randn_like(value_BC)
        if given is not None:
            choice_BC = torch.where(given.known_BC, given.choice_BC, choice_BC)
            value_BC = torch.where(given.known_BC, given.value_BC, value_BC)
        row = TableBatch(
            choice_BC, value_BC, torch.zeros_like(choice_BC) > 0 if given is None else given.known_BC.clone()
        )
        if limits is not None:
            self._obey(row, limits, temperature)
        value_BC = row.value_BC * (row.choice_BC < self.head.numbered_C)
        return TableBatch(row.choice_BC, value_BC, torch.ones_like(row.known_BC))

    def weigh(self, given: TableBatch, limits: Limits, first: Sequence[int]) -> tuple[TableBatch, Tensor]:
        """... Columns are independent given the code, so nothing more need be known of the row."""
        log_B = self.log_prob(given).double()
        for c in first:
            if (limit := limits(c, given)) is not None:
                log_B = log_B + torch.where(given.known_BC[:, c], 0, self._within(c, limit, 1.0).log_mass_B)
        return given, log_B

    def _obey(self, row: TableBatch, limits: Limits, temperature: float) -> None:
        """Draw what is not known and has a limit anew, within it."""
        for c in range(len(self.sigma_C)):
            if (limit := limits(c, row)) is not None:
                picked, open_B = self._within(c, limit, temperature), ~row.known_BC[:, c]
                number_B = truncated(self.mean_BC[:, c], temperature * self.sigma_C[c].expand(len(open_B)), picked)
                row.choice_BC[:, c] = torch.where(open_B, picked.choice_B, row.choice_BC[:, c])
                row.value_BC[:, c] = torch.where(open_B, number_B, row.value_BC[:, c])
            row.known_BC[:, c] = True

    def _within(self, c: int, limit: Limit, temperature: float) -> Choice:
        """Choices in column c, within a limit."""
        head = self.head
        parts = torch.split(self.logits_LB, head.bases)
        d = next(d for d, digit in enumerate(head.spec.digits) if digit.column == c)
        if str(d + 1) in head.second:
            table: Any = head.second[str(d + 1)]
            return choose_digits(parts[d].T, lambda k: parts[d + 1].T + table.weight[k], limit, temperature)

        def score(choice_BP: Tensor) -> tuple[Tensor, Tensor]:
            return self.mean_BC[:, [c]].double(), (self.sigma_C[c] * (temperature or 1.0)).double()

        return choose(parts[d].T, score, limit, temperature)

    def _choose(self, given: TableBatch | None, temperature: float) -> Tensor:
        """Column by column; a second digit waits for the first."""
        head = self.head
        choice_BC = torch.zeros(self.mean_BC.shape, dtype=torch.int64, device=self.mean_BC.device)
        for d, (digit, logits_KB) in enumerate(
            zip(head.spec.digits, torch.split(self.logits_LB, head.bases), strict=True)
        ):
            logits_BK = logits_KB.T
            choice_B = choice_BC[:, digit.column]
            if str(d) in head.second:
                if given is not None:  # what is given may be the first digit of a second
                    choice_B = torch.where(given.known_BC[:, digit.column], given.choice_BC[:, digit.column], choice_B)
                choice_B = choice_B // digit.base * digit.base
                logits_BK = logits_BK + head.second[str(d)](choice_B // digit.base)
            choice_BC[:, digit.column] = choice_B + digit.divisor * _pick(logits_BK, temperature)
        # the last second digits of a wide column may stand for no choice at all
        most_C = torch.tensor([block.choices - 1 for block in head.spec.blocks], device=choice_BC.device)
        return torch.minimum(choice_BC, most_C)


def _pick(logits_BK: Tensor, temperature: float) -> Tensor:
    """One of K per row: the first whose cumulative share reaches a uniform draw; at temperature 0 the likeliest."""
    if temperature == 0:
        return logits_BK.argmax(1)
    share_BK = (logits_BK / temperature).softmax(1).cumsum(1)
    uniform_B1 = torch.rand(len(share_BK), 1, device=share_BK.device)
    # rounding may leave the last of them a little below 1
    return torch.searchsorted(share_BK, uniform_B1, right=True)[:, 0].clamp(max=share_BK.shape[1] - 1)


class _Surprise(torch.autograd.Function):
    """Minus the log of a softmax at what was chosen, for many softmaxes of different sizes at once.

    The logits of a digit are neighbours, one row of items each, and adding them up is adding rows. What a mask, a pad
    or a loop would do digit by digit is then three passes over the logits, here and on the way back.

    Shape: logits [L, B], place of the chosen among them [D, B], first row of each digit [D], digit of each row [L]
    -> nats [D, B].
    """

    @staticmethod
    def forward(ctx: Any, logits_LB: Tensor, place_DB: Tensor, start_D: Tensor, digit_L: Tensor) -> Tensor:
        odds_LB = logits_LB.clamp(-_CERTAIN, _CERTAIN)
        chosen_DB = odds_LB.gather(0, place_DB)
        odds_LB.exp_()
        row_L = torch.arange(len(odds_LB), device=odds_LB.device)
        total_DB = F.embedding_bag(row_L, odds_LB, start_D, mode="sum")
        ctx.save_for_backward(odds_LB, total_DB, place_DB, digit_L)
        return total_DB.log() - chosen_DB

    @staticmethod
    def backward(ctx: Any, *grad_DB: Tensor) -> tuple[Tensor, None, None, None]:
        """Share less one for what was chosen, as ever; of a logit out of bounds too, so that it finds its way back."""
        odds_LB, total_DB, place_DB, digit_L = ctx.saved_tensors
        grad_LB = (grad_DB[0] / total_DB).index_select(0, digit_L).mul_(odds_LB)
        return grad_LB.scatter_add_(0, place_DB, -grad_DB[0]), None, None, None
