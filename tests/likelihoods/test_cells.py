"""Rows written cell by cell: probabilities that add up, draws that follow them, and conditions that hold."""

import itertools

import pytest
import torch

from synthloom.attention import DenoisingAttention, Mixture
from synthloom.likelihoods.cells import CellWriter
from synthloom.nets.cells import CellReader
from synthloom.nets.transformer import Decoder
from synthloom.spec import Block, Limit, TableBatch, TableSpec

SIZES = (3, 2, 4)


def writer(blocks, **options):
    torch.manual_seed(0)
    spec = TableSpec(tuple(blocks))
    decoder = Decoder(16, 2, 2, cross=lambda: DenoisingAttention(16, components=3, heads=2))
    made = CellWriter(spec, 16, CellReader(spec, 16), decoder, **options)
    for parameter in made.parameters():  # far from uniform, and every part of it in use
        parameter.data += 0.3 * torch.randn_like(parameter)
    return made


def code(rows, same=True):
    generator = torch.Generator().manual_seed(1)
    mu = torch.randn(1 if same else rows, 4, 3, generator=generator).expand(rows, -1, -1)
    return Mixture(mu, None, torch.zeros(rows, 4))


def rows_of(choices, known=None):
    choice_BC = torch.tensor(choices)
    known_BC = torch.ones_like(choice_BC, dtype=torch.bool) if known is None else torch.tensor(known)
    return TableBatch(choice_BC, torch.zeros(choice_BC.shape), known_BC)


ALL = rows_of(list(itertools.product(*map(range, SIZES))))


@pytest.fixture(scope="module", params=["autoregressive", "parallel"])
def small(request):
    return writer(map(Block, SIZES), any_order=False, parallel=request.param == "parallel")


def test_the_probabilities_of_all_rows_add_up_to_one(small):
    log_p = small(code(len(ALL))).log_prob(ALL)
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-5)
    assert log_p.std() > 0.3  # and they are not simply all alike


def test_a_cell_that_is_not_known_is_summed_over(small):
    """What comes first in the table's order is scored as if the rest did not exist."""
    log_p = small(code(len(ALL))).log_prob(ALL)
    partly = rows_of([[1, 1, 0]], [[True, True, False]])
    chosen = (ALL.choice_BC[:, 0] == 1) & (ALL.choice_BC[:, 1] == 1)
    assert small(code(1)).log_prob(partly).item() == pytest.approx(log_p[chosen].logsumexp(0).item(), abs=1e-5)
    assert small(code(1)).log_prob(rows_of([[0, 0, 0]], [[False] * 3])).item() == 0


def test_draws_follow_the_probabilities(small):
    n = 20_000
    p = small(code(len(ALL))).log_prob(ALL).exp().detach()
    drawn = small(code(n)).draw()
    key = (drawn.choice_BC * torch.tensor([8, 4, 1])).sum(1)
    expected = (ALL.choice_BC * torch.tensor([8, 4, 1])).sum(1)
    share = torch.stack([(key == k).float().mean() for k in expected])
    chi_square = (n * (share - p).square() / p).sum()
    assert chi_square < 60  # 23 degrees of freedom; bfloat16 where the machine has it
    assert drawn.known_BC.all()


def test_without_chance_a_category_is_the_likeliest_and_a_number_in_the_middle():
    made = writer([Block(5), Block(9, numbered=7)], any_order=False)
    n = 4_000
    with torch.no_grad():
        drawn, still = made(code(n)).draw(), made(code(n)).draw(temperature=0.0)
    assert (still.choice_BC == still.choice_BC[0]).all()
    category, cell = still.choice_BC[0].tolist()
    assert category == drawn.choice_BC[:, 0].bincount().argmax()
    cells = drawn.choice_BC[drawn.choice_BC[:, 0] == category, 1]
    others = (cells >= 7).float().mean()
    if cell < 7:  # some number, if that is likelier than each of the rest: then the median one
        share = cells[cells < 7].bincount(minlength=7).float().cumsum(0) / (cells < 7).sum()
        assert share[cell] > 0.45
        assert cell == 0 or share[cell - 1] < 0.55
    else:
        assert others > 0.3
    near = made(code(n)).draw(temperature=0.2).choice_BC
    assert (near[:, 1] == cell).float().mean() > (drawn.choice_BC[:, 1] == cell).float().mean()


def test_what_is_given_stays_and_the_rest_follows_it():
    """The last column given: drawn frequencies of the others are the conditional ones of that order."""
    net = writer(map(Block, SIZES), any_order=False)
    n = 20_000
    given = rows_of([[0, 0, 3]] * n, [[False, False, True]] * n)
    drawn = net(code(n)).draw(given)
    assert (drawn.choice_BC[:, 2] == 3).all()
    # (2, 0, 1) is the order of writing here: what comes first after column 2, the decoder itself can be asked
    cache, last_BD, *_ = net(code(1))._tell(rows_of([[0, 0, 3]], [[False, False, True]]))
    h_BMD, _ = net.decoder((last_BD + net.next_CD[0])[:, None], cache)
    p = net.head._logits(0, 0, h_BMD[:, 0]).softmax(1)[0].detach()
    share = torch.bincount(drawn.choice_BC[:, 0], minlength=3) / n
    assert (share - p).abs().max() < 0.02


def test_limits_are_kept_by_the_conditional_probabilities(small):
    """Limits on two columns: weights and draws together give the distribution of the rows that keep to them."""
    n = 20_000
    open_CK = [None, [False, True], [True, False, True, False]]

    def limits(c, written):
        return None if open_CK[c] is None else Limit.of(torch.tensor([open_CK[c]]))

    drawn, log_B = small(code(n)).weigh(TableBatch.unknown(n, 3), limits, [1, 2])
    assert drawn.known_BC[0].tolist() == [False, True, False]  # the last of them is drawn anew
    rows = small(code(n)).draw(drawn, limits=limits, first=[1, 2])
    assert set(rows.choice_BC[:, 1].tolist()) == {1}
    assert set(rows.choice_BC[:, 2].tolist()) == {0, 2}
    given = rows_of([[0, 1, k] for k in range(4)], [[False, True, True]] * 4)
    _, log_4 = small(code(4)).weigh(given, limits, [])  # each pair of values, in the same order
    assert log_B.exp().mean().item() == pytest.approx(log_4[[0, 2]].exp().sum().item(), rel=0.02)
    share = (rows.choice_BC[:, 2] == 2).float().mean().item()
    assert share == pytest.approx((log_4[2] - log_4[[0, 2]].logsumexp(0)).exp().item(), abs=0.02)


def test_rows_that_know_different_cells_do_not_disturb_each_other():
    """Together or alone, the best guess for a row's open cells is the same."""
    net = writer(map(Block, (3, 2, 4, 5)))
    known = torch.tensor(list(itertools.product([False, True], repeat=4)))
    given = rows_of([[2, 1, 3, 4]] * len(known), known.tolist())
    together = net(code(len(known))).draw(given, temperature=0.0)
    for i in range(len(known)):
        alone = net(code(1)).draw(given.take(torch.tensor([i])), temperature=0.0)
        assert (alone.choice_BC[0] == together.choice_BC[i]).all()
        assert (together.choice_BC[i][known[i]] == given.choice_BC[i][known[i]]).all()


def test_batch_mates_do_not_matter():
    net = writer(map(Block, SIZES), any_order=False)
    together = net(code(len(ALL), same=False)).log_prob(ALL)
    index = torch.tensor([5])
    alone = net(code(len(ALL), same=False).take(index)).log_prob(ALL.take(index))
    assert alone.item() == pytest.approx(together[5].item(), abs=1e-5)


def test_every_order_is_practised_and_most_where_rows_are_drawn():
    net, columns = writer([Block(2)] * 4), torch.arange(4)
    order, most = net.order(torch.ones(8000, 4, dtype=torch.bool))
    assert most == 4
    assert len({tuple(row) for row in order.tolist()}) == 24
    # of four columns so many come first without a change of order: none, one, two, three, or all
    share = [1, 1 / 4, 1 / 6, 1 / 4, 1]
    unchanged = (share[1] + sum(share) / 5) / 2
    own = (order == columns).all(1).float().mean().item()
    assert own == pytest.approx(0.5 + 0.25 / 24 + 0.25 * unchanged, abs=0.03)
    runs = 1 + (order.diff(dim=1) < 0).sum(1)
    assert (runs <= 2).float().mean() > 0.82, "some columns, and the others, each in the table's own order"


def test_numbers_follow_their_density_and_only_where_a_choice_has_one():
    net = writer([Block(4, numbered=2), Block(2)], any_order=False)
    drawn = net(code(20_000)).draw()
    assert (drawn.value_BC[drawn.choice_BC[:, 0] >= 2, 0] == 0).all()
    assert (drawn.value_BC[:, 1] == 0).all()
    x = torch.linspace(-12, 12, 4001)
    for choice in (0, 1):
        rows = TableBatch(
            torch.tensor([[choice, 0]]).expand(len(x), -1),
            torch.stack([x, torch.zeros_like(x)], 1),
            torch.tensor([[True, False]]).expand(len(x), -1),
        )
        density = net(code(len(x))).log_prob(rows).exp().detach()
        mass = torch.trapezoid(density, x)
        share = (drawn.choice_BC[:, 0] == choice).float().mean()
        assert mass == pytest.approx(share.item(), abs=0.02)
        mean = torch.trapezoid(density * x, x) / mass
        assert drawn.value_BC[drawn.choice_BC[:, 0] == choice, 0].mean() == pytest.approx(mean.item(), abs=0.06)


def test_a_column_of_very_many_choices_adds_up_too():
    net = writer([Block(2), Block(2000)], any_order=False)
    last = rows_of([[0, k] for k in range(2000)])
    total = net(code(2000)).log_prob(last).logsumexp(0)
    first = net(code(1)).log_prob(rows_of([[0, 0]], [[True, False]]))
    # 45 * 45 spellings for 2,000 choices: a little mass falls on none of them
    assert first.item() - 0.2 < total.item() < first.item()
    drawn = net(code(500)).draw()
    assert drawn.choice_BC[:, 1].min() >= 0
    assert drawn.choice_BC[:, 1].max() < 2000
    assert len(drawn.choice_BC[:, 1].unique()) > 50


def test_gradients_reach_every_parameter():
    net = writer([Block(3), Block(5, numbered=4), Block(1500)])
    batch = TableBatch(
        torch.tensor([[1, 2, 1400], [2, 4, 7]]).repeat(8, 1), torch.ones(16, 3), torch.ones(16, 3).bool()
    )
    net(code(16)).log_prob(batch).sum().backward()
    # what a cell that is not known looks like has not been seen
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_calibration_gives_columns_the_frequencies_of_the_data():
    net = writer(map(Block, SIZES))
    real = rows_of([[0, 0, 0]] * 500 + [[1, 1, 2]] * 300 + [[2, 1, 3]] * 200)
    net(code(8000)).calibrate(real)
    drawn = net(code(20_000)).draw()
    for c, size in enumerate(SIZES):
        had, wanted = (torch.bincount(b.choice_BC[:, c], minlength=size) / len(b) for b in (drawn, real))
        assert (had - wanted).abs().max() < 0.02
