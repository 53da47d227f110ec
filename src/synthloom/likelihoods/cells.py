"""p(row | z) written cell by cell, each given those before it, in any order.

The decoder is told which column comes next along with the cell before it, so that one network knows the conditionals of
all orders: sigma-GPTs: A New Approach to Autoregressive Models (Pannatier et al., 2024),
https://arxiv.org/abs/2404.09562. What is given comes first, and the rest is drawn given it: no rejection, whatever is
asked for.

Legend: B rows, C columns, N cells that are given or columns that have numbers, D width, G columns (or digits) of one
group, K the widest of the group, P parts of choices that a limit leaves, U choices that occur in them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synthloom import devices
from synthloom.likelihoods.limits import Choice, choose, choose_digits, truncated
from synthloom.spec import Limit, Limits, TableBatch, TableSpec

__all__ = ["CellHead", "CellLikelihood", "CellWriter"]

_CALIBRATIONS = 6
"""Rounds in which biases are moved; each takes most of what is left of the error."""


class CellHead(nn.Module):
    """A vector per cell -> the distribution of the choice, and that of its number given the choice.

    Columns of like size are scored together in one product of matrices; a column of very many choices is spelled with
    two digits, the second given the first, so that no row ever needs all of its logits. Numbers inside their cell are
    normal scores, so each begins as N(0, 1), and is moved and narrowed by what is known of the row.
    """

    number_N: Tensor
    numbered_C: Tensor

    def __init__(self, spec: TableSpec, width: int) -> None:
        super().__init__()
        self.spec = spec
        groups: dict[int, list[tuple[int, int, int, int]]] = {}
        for c, block in enumerate(spec.blocks):
            for position, (divisor, base) in enumerate(block.digits):
                size = 4 ** max(1, math.ceil(math.log(base, 4)))
                groups.setdefault(size, []).append((c, divisor, base, position))
        # (column, divisor, base, position among the digits of its column) of each member
        self.groups = [(size, members) for size, members in sorted(groups.items())]
        self.place = {(c, p): (g, i) for g, (_, ms) in enumerate(self.groups) for i, (c, _, _, p) in enumerate(ms)}
        self.weights = nn.ParameterList(
            torch.empty(len(members), width, size).normal_(std=width**-0.5) for size, members in self.groups
        )
        self.biases = nn.ParameterList(torch.zeros(len(members), size) for size, members in self.groups)
        for g, (size, members) in enumerate(self.groups):
            column_G, divisor_G, base_G, _ = torch.tensor(members).T
            self.register_buffer(f"column_{g}", column_G, persistent=False)
            self.register_buffer(f"divisor_{g}", divisor_G, persistent=False)
            self.register_buffer(f"base_{g}", base_G, persistent=False)
            absent_GK = torch.arange(size) >= base_G[:, None]
            self.register_buffer(f"absent_{g}", torch.zeros(absent_GK.shape).masked_fill(absent_GK, -math.inf), False)
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
        numbered = [block.numbered for block in spec.blocks]
        number_N = torch.tensor([c for c, count in enumerate(numbered) if count], dtype=torch.int64)
        self.register_buffer("numbered_C", torch.tensor(numbered), persistent=False)
        self.register_buffer("number_N", number_N, persistent=False)
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, width)
        self.score = nn.Linear(width, 2)  # mean and log sigma
        nn.init.zeros_(self.score.weight)
        nn.init.zeros_(self.score.bias)

    @torch.no_grad()
    def start_at(self, batch: TableBatch) -> None:
        """Begin with the columns' own frequencies: what is left to learn is how they depend on each other."""
        for (c, position), (g, i) in self.place.items():
            log_K = self._log_frequencies(batch, c, position)
            self.biases[g][i, : len(log_K)] = log_K

    @torch.no_grad()
    def calibrate(self, c: int, h_BD: Tensor, batch: TableBatch) -> None:
        """Move the biases of column c so that these predictions have, on average, the frequencies of the batch.

        Of a column that has two digits, those of the first.
        """
        wanted_K = self._log_frequencies(batch, c, 0)
        g, i = self.place[c, 0]
        logits_BK = self._logits(c, 0, h_BD)
        moved_K = torch.zeros_like(wanted_K)
        for _ in range(_CALIBRATIONS):
            had_K = (logits_BK + moved_K).softmax(1).mean(0).log()
            moved_K += (wanted_K - had_K).clamp(-1, 1)
        self.biases[g][i, : len(moved_K)] += moved_K

    def log_prob(self, h_BCD: Tensor, chosen_BCD: Tensor, batch: TableBatch) -> Tensor:
        """Nats per cell [B, C], 0 where it is not known."""
        nats_BC = torch.zeros_like(batch.value_BC)
        for g, (weight_GDK, bias_GK) in enumerate(zip(self.weights, self.biases, strict=True)):
            column_G, divisor_G, base_G, absent_GK = (
                self.get_buffer(f"{part}_{g}") for part in ("column", "divisor", "base", "absent")
            )
            logits_GBK = torch.bmm(h_BCD[:, column_G].transpose(0, 1), weight_GDK).float()
            logits_GBK = self._given_first(g, logits_GBK + (bias_GK + absent_GK)[:, None], batch.choice_BC)
            digit_BG = batch.choice_BC[:, column_G] // divisor_G % base_G
            nats_GB = -F.cross_entropy(logits_GBK.flatten(0, 1), digit_BG.T.flatten(), reduction="none").view_as(
                digit_BG.T
            )
            nats_BC = nats_BC.index_add(1, column_G, nats_GB.T)
        if len(self.number_N):
            mean_BN, log_sigma_BN = self._score(h_BCD[:, self.number_N], chosen_BCD[:, self.number_N])
            off_BN = (batch.value_BC[:, self.number_N] - mean_BN) * (-log_sigma_BN).exp()
            nats_BN = -0.5 * off_BN.square() - log_sigma_BN - 0.5 * math.log(2 * math.pi)
            spoken_BN = batch.choice_BC[:, self.number_N] < self.numbered_C[self.number_N]
            nats_BC = nats_BC.index_add(1, self.number_N, nats_BN * spoken_BN)
        return nats_BC * batch.known_BC

    def draw(self, c: int, h_BD: Tensor, temperature: float) -> Tensor:
        """Choices [B] in column c."""
        choice_B = torch.zeros(len(h_BD), dtype=torch.int64, device=h_BD.device)
        block = self.spec.blocks[c]
        cells = block.numbered if len(block.digits) == 1 else 0
        for position, (divisor, base) in enumerate(block.digits):
            logits_BK = self._logits(c, position, h_BD)
            if position == 1:
                logits_BK = logits_BK + self.second[str(c)](choice_B // base)
            choice_B = choice_B + divisor * _choose(logits_BK, temperature, cells)
        # the last second digits of a wide column may stand for no choice at all
        return choice_B.clamp(max=self.spec.blocks[c].choices - 1)

    def draw_within(
        self, c: int, h_BD: Tensor, temperature: float, limit: Limit, cells: Callable[[Tensor], Tensor]
    ) -> Choice:
        """Choices in column c, within a limit; `cells` makes vectors of choices."""
        first_BK = self._logits(c, 0, h_BD)
        if len(self.spec.blocks[c].digits) == 1:
            score = partial(self._score_of, h_BD, cells=cells, temperature=temperature)
            return choose(first_BK, score, limit, temperature)
        own_BK, table = self._logits(c, 1, h_BD), cast("nn.Embedding", self.second[str(c)])
        return choose_digits(first_BK, lambda k: own_BK + table.weight[k], limit, temperature)

    def draw_number(
        self, c: int, h_BD: Tensor, chosen_BD: Tensor, picked: Choice | Tensor, temperature: float
    ) -> Tensor:
        """The number [B] that goes with each choice in column c, 0 where none does."""
        choice_B = picked.choice_B if isinstance(picked, Choice) else picked
        numbered = self.spec.blocks[c].numbered
        if not numbered:
            return torch.zeros(len(h_BD), device=h_BD.device)
        mean_B, log_sigma_B = self._score(h_BD, chosen_BD)
        sigma_B = log_sigma_B.exp() * temperature
        if isinstance(picked, Choice):
            mean_B = truncated(mean_B, sigma_B, picked)
        elif temperature:
            mean_B = mean_B + sigma_B * torch.randn_like(mean_B)
        number_B: Tensor = mean_B * (choice_B < numbered)
        return number_B

    def _logits(self, c: int, position: int, h_BD: Tensor) -> Tensor:
        """Of one digit of column c [B, K]."""
        g, i = self.place[c, position]
        _, base = self.spec.blocks[c].digits[position]
        logits_BK: Tensor = (h_BD @ self.weights[g][i, :, :base]).float() + self.biases[g][i, :base]
        return logits_BK

    def _given_first(self, g: int, logits_GBK: Tensor, choice_BC: Tensor) -> Tensor:
        """Add to second digits what the first one says about them."""
        for i, (c, _, base, position) in enumerate(self.groups[g][1]):
            if position == 1:
                extra_BK = F.pad(self.second[str(c)](choice_BC[:, c] // base), (0, logits_GBK.shape[2] - base))
                logits_GBK = logits_GBK.index_add(0, torch.tensor([i], device=extra_BK.device), extra_BK[None])
        return logits_GBK

    def _log_frequencies(self, batch: TableBatch, c: int, position: int) -> Tensor:
        """How often each digit of column c occurs [K]."""
        divisor, base = self.spec.blocks[c].digits[position]
        digit = batch.choice_BC[batch.known_BC[:, c], c] // divisor % base
        count_K = torch.bincount(digit, minlength=base) + 0.5  # half a row for what was never seen
        return (count_K / count_K.sum()).log()

    def _score_of(
        self, h_BD: Tensor, choice_BP: Tensor, *, cells: Callable[[Tensor], Tensor], temperature: float
    ) -> tuple[Tensor, Tensor]:
        """Mean and sigma of the numbers that would go with these choices [B or 1, P]: each choice is scored once."""
        if len(choice_BP) > 1:
            mean_BP, log_sigma_BP = self._score(h_BD[:, None], cells(choice_BP))
        else:
            choice_U, place_1P = torch.unique(choice_BP, return_inverse=True)
            mean_BU, log_sigma_BU = self._score(h_BD[:, None], cells(choice_U[None]))
            mean_BP, log_sigma_BP = mean_BU[:, place_1P[0]], log_sigma_BU[:, place_1P[0]]
        return mean_BP.double(), log_sigma_BP.double().exp() * (temperature or 1.0)

    def _score(self, h: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log sigma of a number, by the row and by the cell that was chosen for it."""
        score = self.score(F.gelu(self.inner(self.norm(h + chosen)))).float()
        return score[..., 0], score[..., 1].clamp(-6, 1)


def _choose(logits_BK: Tensor, temperature: float, cells: int = 0) -> Tensor:
    """A draw from each softmax, of whose choices the first so many may be the cells of a number.

    Cells hold as many rows as each other, so the likeliest says little: with less chance, a number stays by its median.
    """
    if cells and temperature < 1:
        number_B1 = logits_BK[:, :cells].logsumexp(1, keepdim=True)
        other_B = _choose(torch.cat([number_B1, logits_BK[:, cells:]], dim=1), temperature) - 1
        return torch.where(other_B < 0, _fall(logits_BK[:, :cells].softmax(1), temperature), cells + other_B)
    return logits_BK.argmax(1) if temperature == 0 else _fall((logits_BK / temperature).softmax(1))


def _fall(share_BK: Tensor, spread: float = 1.0) -> Tensor:
    """Where a uniform number falls among the summed shares; with less `spread`, one nearer to a half."""
    sum_BK = share_BK.cumsum(1)
    u_B1 = torch.rand_like(sum_BK[:, :1]) if spread else torch.full_like(sum_BK[:, :1], 0.5)
    if spread < 1:
        u_B1 = 0.5 + spread * (u_B1 - 0.5)
    return (sum_BK <= u_B1 * sum_BK[:, -1:]).sum(1).clamp(max=sum_BK.shape[1] - 1)


class CellWriter(nn.Module):
    """A code -> the likelihood of a row.

    `reader` makes a vector of a cell, `decoder` is a `nets.transformer.Decoder` that looks at the code. With
    `any_order` half of all rows are scored in the table's own order, in which whole rows are drawn; a quarter with some
    columns, as often as not one, before the others, both in that order, as rows are drawn of which so much is given;
    and a quarter in any: practice where it is needed is worth more than all the orders, and all the orders keep it from
    learning by heart. A `parallel` writer shows the decoder no cell at all, so that columns are independent given the
    code.
    """

    def __init__(
        self,
        spec: TableSpec,
        width: int,
        reader: nn.Module,
        decoder: nn.Module,
        *,
        any_order: bool = True,
        parallel: bool = False,
    ) -> None:
        super().__init__()
        self.columns, self.any_order, self.parallel = len(spec.blocks), any_order, parallel
        self.reader: Any = reader
        self.decoder: Any = decoder
        self.head = CellHead(spec, width)
        self.next_CD = nn.Parameter(torch.empty(self.columns, width).normal_(std=0.5))
        self.start_D = nn.Parameter(torch.zeros(width))

    def forward(self, code: Any) -> CellLikelihood:
        return CellLikelihood(self, code)

    def order(self, known_BC: Tensor) -> tuple[Tensor, int]:
        """In which order the cells of each row are scored, and how many are known at most: those come first."""
        B, C = known_BC.shape
        if self.parallel:
            return torch.arange(C, device=known_BC.device).expand(B, C), C
        place_BC = (torch.arange(C, device=known_BC.device) / C).expand(B, C)
        if self.any_order:
            device = known_BC.device
            any_BC = torch.rand(B, C, device=device)
            one_BC = any_BC == any_BC.amax(1, keepdim=True)
            some_BC = torch.rand(B, C, device=device) < torch.rand(B, 1, device=device)
            early_BC = torch.where(torch.rand(B, 1, device=device) < 0.5, one_BC, some_BC)
            way_B1 = torch.rand(B, 1, device=device)
            other_BC = torch.where(way_B1 < 0.75, any_BC, place_BC + ~early_BC)
            place_BC = torch.where(way_B1 < 0.5, place_BC, other_BC)
        most = C if devices.one_by_one(known_BC) else int(known_BC.sum(1).max()) if B else 0
        return (place_BC + 2.0 * ~known_BC).argsort(1), most

    def tokens(self, cell_BND: Tensor | None, order_BN: Tensor) -> Tensor:
        """What the decoder reads: at each place the cell before it, and the column that is to come [B, N, D]."""
        before_BND = self.start_D.expand(len(order_BN), 1, -1)
        if cell_BND is not None:
            before_BND = torch.cat([before_BND, cell_BND[:, :-1]], dim=1)
        return before_BND + F.embedding(order_BN, self.next_CD)


class CellLikelihood:
    """One distribution over rows per code."""

    def __init__(self, writer: CellWriter, code: Any) -> None:
        self.writer = writer
        self.cache = writer.decoder.start(code)
        self.rows = len(code)

    def log_prob(self, batch: TableBatch) -> Tensor:
        w = self.writer
        order_BC, most = w.order(batch.known_BC)
        if most == 0:
            return torch.zeros_like(batch.value_BC[:, 0])
        chosen_BCD = w.reader.chosen(batch)
        cell_BCD = w.reader.with_number(chosen_BCD, batch.value_BC * batch.known_BC)
        cell_BND = None if w.parallel else _take(cell_BCD, order_BC[:, :most])
        h_BND, _ = w.decoder(w.tokens(cell_BND, order_BC[:, :most]), self.cache)
        h_BCD = _take(h_BND, order_BC.argsort(1).clamp(max=most - 1))
        return w.head.log_prob(h_BCD, chosen_BCD, batch).sum(1)

    def draw(
        self,
        given: TableBatch | None = None,
        temperature: float = 1.0,
        limits: Limits | None = None,
        first: Sequence[int] = (),
    ) -> TableBatch:
        return self._write(given, temperature, limits=limits, first=first)[0]

    def weigh(self, given: TableBatch, limits: Limits, first: Sequence[int]) -> tuple[TableBatch, Tensor]:
        """... What is given, and each column of `first` given those before it, are weighed as they are written."""
        first = [c for c in first if not bool(given.known_BC[:, c].all())]
        written, log_B = self._write(given, 1.0, limits=limits, first=first, rest=False)
        known_BC = written.known_BC.clone()
        if first:  # the last of them can be drawn anew
            known_BC[:, first[-1]] = given.known_BC[:, first[-1]]
        return replace(written, known_BC=known_BC), log_B

    def calibrate(self, batch: TableBatch) -> None:
        """Write rows, and set each column straight before its cells are drawn, so that columns come out as in `batch`.

        Small errors of the conditionals add up along a row: the last columns are off by a percent or so without this.
        """
        self._write(None, 1.0, before=lambda c, h_BD: self.writer.head.calibrate(c, h_BD, batch))

    @torch.no_grad()
    def _write(
        self,
        given: TableBatch | None,
        temperature: float,
        before: Callable[[int, Tensor], None] | None = None,
        limits: Limits | None = None,
        first: Sequence[int] = (),
        rest: bool = True,
    ) -> tuple[TableBatch, Tensor]:
        """Column after column, after what is given: those of `first`, and the rest in the table's own order.

        `before` each draw, a look at it. Also says how likely what was given and the limits were.
        """
        w, B, C = self.writer, self.rows, self.writer.columns
        if given is None:
            given = TableBatch.unknown(B, C, w.start_D.device)
        row = TableBatch(given.choice_BC.clone(), given.value_BC.clone(), given.known_BC.clone())
        with devices.autocast(w.start_D.device):
            cache, last_BD, told_BN, log_B = self._tell(given)
            if w.parallel:
                all_BCD, _ = w.decoder(w.tokens(None, w.order(given.known_BC)[0]), self.cache)
            for c in [*first, *(c for c in range(C) if rest and c not in first)]:
                open_B = ~given.known_BC[:, c]
                if not bool(open_B.any()):
                    continue
                if not w.parallel:
                    h_B1D, cache = w.decoder((last_BD + w.next_CD[c])[:, None], cache)
                    h_BD = h_B1D[:, 0]
                else:
                    h_BD = all_BCD[:, c]
                if before is not None:
                    before(c, h_BD)
                picked: Choice | Tensor
                if (limit := limits(c, row) if limits is not None else None) is None:
                    picked = choice_B = w.head.draw(c, h_BD, temperature)
                else:
                    picked = w.head.draw_within(c, h_BD, temperature, limit, partial(w.reader.chosen_in, c))
                    choice_B = picked.choice_B
                    log_B = log_B + torch.where(open_B, picked.log_mass_B, 0)
                chosen_BD = w.reader.chosen_in(c, choice_B)
                value_B = w.head.draw_number(c, h_BD, chosen_BD, picked, temperature)
                row.choice_BC[:, c] = torch.where(open_B, choice_B, row.choice_BC[:, c])
                row.value_BC[:, c] = torch.where(open_B, value_B, row.value_BC[:, c])
                row.known_BC[:, c] = True
                last_BD = torch.where(open_B[:, None], w.reader.with_number(chosen_BD, value_B, c), last_BD)
                if told_BN is not None:
                    told_BN = torch.cat([told_BN, open_B[:, None]], dim=1)
                    cache = cache.only(told_BN)
        return row, log_B

    def _tell(self, given: TableBatch) -> tuple[Any, Tensor, Tensor | None, Tensor]:
        """Write what is given: the cache, the cell written last, which rows wrote how many, if not all the same, and
        how likely it was.

        A row's given cells come first, and behind them, unseen, whatever fills the place up.
        """
        w, B = self.writer, self.rows
        count_B = given.known_BC.sum(1)
        most = int(count_B.max()) if B else 0
        start_BD = w.start_D.expand(B, -1)
        if most == 0:
            return self.cache, start_BD, None, torch.zeros(B, dtype=torch.float64, device=count_B.device)
        order_BC = (~given.known_BC).to(torch.uint8).argsort(dim=1, stable=True)
        order_BN = order_BC[:, :most]
        if w.parallel:
            return self.cache, start_BD, None, self.log_prob(given).double()
        cell_BND = _take(w.reader(given), order_BN)
        h_BND, cache = w.decoder(w.tokens(cell_BND, order_BN), self.cache)
        h_BCD = _take(h_BND, order_BC.argsort(1).clamp(max=most - 1))
        log_B = w.head.log_prob(h_BCD, w.reader.chosen(given), given).sum(1).double()
        last_BD = torch.cat([start_BD[:, None], cell_BND], dim=1)[torch.arange(B, device=count_B.device), count_B]
        if bool((given.known_BC == given.known_BC[:1]).all()):
            return cache, last_BD, None, log_B
        told_BN = torch.arange(most, device=count_B.device) < count_B[:, None]
        return cache.only(told_BN), last_BD, told_BN, log_B


def _take(x_BCD: Tensor, index_BN: Tensor) -> Tensor:
    """The cells of each row at its own places [B, N, D]."""
    return x_BCD.gather(1, index_BN[:, :, None].expand(-1, -1, x_BCD.shape[2]))
