"""The likelihood of a row: it sums to one, draws what it scores, and wide columns cost no more than their digits."""

import math

import pytest
import torch

from synthloom.likelihoods.table import TableHead
from synthloom.nets.rows import RowReader
from synthloom.rng import seeded
from synthloom.spec import Block, TableBatch, TableSpec


def a_batch(spec, rows, seed=0):
    with seeded(seed, "batch"):
        choice = torch.stack([torch.randint(block.choices, (rows,)) for block in spec.blocks], 1)
        value = torch.randn(rows, len(spec.blocks))
    numbered = torch.tensor([block.numbered for block in spec.blocks])
    return TableBatch(choice, value * (choice < numbered), torch.ones_like(choice, dtype=torch.bool))


def a_head(spec, width=6, seed=0):
    with seeded(seed, "head"):
        head = TableHead(width, spec)
        for parameter in head.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
    return head


@pytest.mark.parametrize("choices", [2, 5, 1025, 1500])
def test_probabilities_of_a_column_sum_to_one(choices):
    """Also where a wide column is spelled with two digits, some of whose combinations stand for nothing."""
    spec = TableSpec((Block(choices),))
    head = a_head(spec)
    every = torch.arange(choices)[:, None]
    batch = TableBatch(every, torch.zeros(choices, 1), torch.ones(choices, 1, dtype=torch.bool))
    with torch.no_grad():
        total = head(torch.randn(1, 6).expand(choices, 6)).log_prob(batch).exp().sum()
    # unused combinations of digits may hold some mass before training; what is left is at most all of it
    unused = math.prod(base for _, base in spec.blocks[0].digits) - choices
    assert total <= 1 + 1e-5
    assert total > 0.9 if unused == 0 else total > 0.5


def test_log_prob_is_the_sum_of_textbook_terms():
    spec = TableSpec((Block(3), Block(4, numbered=2), Block(2)))
    head = a_head(spec)
    features = torch.randn(50, 6)
    batch = a_batch(spec, 50)
    like = head(features)
    want = torch.zeros(50)
    for c, (block, logits_KB) in enumerate(zip(spec.blocks, like.logits_LB.split(head.bases), strict=True)):
        logits = logits_KB.T
        want += torch.distributions.Categorical(logits=logits).log_prob(batch.choice_BC[:, c])
        density = torch.distributions.Normal(like.mean_BC[:, c], like.sigma_C[c]).log_prob(batch.value_BC[:, c])
        want += torch.where(batch.choice_BC[:, c] < block.numbered, density, 0)
    assert torch.allclose(like.log_prob(batch), want, atol=1e-4)


def test_draws_follow_the_probabilities():
    spec = TableSpec((Block(3), Block(1200), Block(2, numbered=1)))
    head = a_head(spec)
    rows = 200_000
    with torch.no_grad(), seeded(0, "draws"):
        like = head(torch.ones(1, 6).expand(rows, 6))
        drawn = like.draw()
        for c in (0, 2):
            for choice in range(spec.blocks[c].choices):
                known = torch.arange(3)[None] == c
                one = TableBatch(torch.full((1, 3), choice), torch.zeros(1, 3), known)
                share = (drawn.choice_BC[:, c] == choice).float().mean()
                logp = head(torch.ones(1, 6)).log_prob(one)
                if choice < spec.blocks[c].numbered:  # take the density of the number away again
                    score = -like.mean_BC[0, c] / like.sigma_C[c]
                    logp = logp + 0.5 * score**2 + like.sigma_C[c].log() + 0.5 * math.log(2 * math.pi)
                assert abs(share - logp.exp().item()) < 0.01
        first = torch.bincount(drawn.choice_BC[:, 1], minlength=1200)
        top = int(first.argmax())
        one = TableBatch(torch.tensor([[0, top, 0]]), torch.zeros(1, 3), torch.tensor([[False, True, False]]))
        assert abs(first[top] / rows - head(torch.ones(1, 6)).log_prob(one).exp().item()) < 0.01


def test_what_is_given_stays_and_the_rest_is_drawn():
    spec = TableSpec((Block(3), Block(4, numbered=2), Block(1500)))
    batch = a_batch(spec, 64)
    given = TableBatch(batch.choice_BC, batch.value_BC, torch.zeros_like(batch.known_BC))
    given.known_BC[:, 1] = True
    with seeded(0):
        drawn = a_head(spec)(torch.randn(64, 6)).draw(given=given)
    assert torch.equal(drawn.choice_BC[:, 1], batch.choice_BC[:, 1])
    assert torch.equal(drawn.value_BC[:, 1], batch.value_BC[:, 1])
    assert not torch.equal(drawn.choice_BC[:, 0], batch.choice_BC[:, 0])


def test_unknown_cells_add_nothing_and_reach_no_gradient():
    spec = TableSpec((Block(3), Block(4, numbered=2)))
    batch = a_batch(spec, 16)
    hidden = TableBatch(batch.choice_BC, batch.value_BC, torch.zeros_like(batch.known_BC))
    head = a_head(spec)
    assert head(torch.randn(16, 6)).log_prob(hidden).abs().max() == 0


def test_temperature_zero_is_the_best_guess_and_leaves_the_random_stream_alone():
    spec = TableSpec((Block(3), Block(4, numbered=2)))
    like = a_head(spec)(torch.randn(16, 6))
    before = torch.get_rng_state()
    one, two = like.draw(temperature=0.0), like.draw(temperature=0.0)
    assert torch.equal(one.choice_BC, two.choice_BC)
    assert torch.equal(one.value_BC, two.value_BC)
    assert torch.equal(torch.get_rng_state(), before)


def test_gradient_reaches_every_parameter():
    spec = TableSpec((Block(3), Block(4, numbered=2), Block(1500)))
    reader, head = RowReader(spec, 6), a_head(spec)
    torch.nn.init.zeros_(head.log_sigma_C)
    batch = a_batch(spec, 512)
    head(reader(batch)).log_prob(batch).sum().backward()
    for part in (reader, head):
        for name, parameter in part.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name


def test_gradients_are_those_of_the_textbook():
    """What is written out by hand, here and in the reader, is what autograd finds for a softmax and for a one-hot."""
    spec = TableSpec((Block(3), Block(4, numbered=2), Block(1500), Block(1)))
    reader, head, batch = RowReader(spec, 6), a_head(spec), a_batch(spec, 40)
    batch = TableBatch(batch.choice_BC, batch.value_BC, torch.rand(40, 4) < 0.8)
    parameters = [*reader.parameters(), *head.parameters()]

    def textbook():
        digit_BD, known_BD = batch.spelled(spec)
        slots = [digit.base + 1 for digit in spec.digits]
        slot_BD = torch.where(known_BD, digit_BD, torch.tensor(slots) - 1)
        one_hot_BS = torch.cat([torch.nn.functional.one_hot(slot_BD[:, d], n) for d, n in enumerate(slots)], 1)
        features = one_hot_BS.float() @ reader.choice.weight + reader.value(batch.value_BC * batch.known_BC)
        like, total = head(features), 0.0
        for d, logits_KB in enumerate(like.logits_LB.split(head.bases)):
            if str(d) in head.second:
                logits_KB = logits_KB + head.second[str(d)](digit_BD[:, d - 1]).T
            chosen = torch.distributions.Categorical(logits=logits_KB.T).log_prob(digit_BD[:, d])
            total = total + (chosen * known_BD[:, d]).sum()
        density = torch.distributions.Normal(like.mean_BC, like.sigma_C).log_prob(batch.value_BC)
        return total + (density * (batch.known_BC & (batch.choice_BC < head.numbered_C))).sum()

    ours = torch.autograd.grad(head(reader(batch)).log_prob(batch).sum(), parameters)
    for one, other in zip(ours, torch.autograd.grad(textbook(), parameters), strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("far", [100.0, 1e4, -1e4])
def test_logits_out_of_bounds_are_certain_and_find_their_way_back(far):
    spec = TableSpec((Block(3),))
    head = a_head(spec)
    torch.nn.init.constant_(head.columns.bias[1], far)
    batch = TableBatch(torch.tensor([[0], [1]]), torch.zeros(2, 1), torch.ones(2, 1, dtype=torch.bool))
    like = head(torch.zeros(2, 6)).log_prob(batch)
    like.sum().backward()
    assert like.isfinite().all()
    assert like[0] < -70 if far > 0 else like[1] < -70
    assert head.columns.bias.grad[1] * far < 0


def test_three_hundred_thousand_values_need_no_one_hot():
    """Neither reading nor scoring nor drawing holds more per row than the digits of a column."""
    spec = TableSpec((Block(300_000), Block(2)))
    head = TableHead(8, spec)
    batch = a_batch(spec, 32)
    like = head(RowReader(spec, 8)(batch))
    assert like.logits_LB.numel() < 32 * 3000
    drawn = like.draw()
    assert drawn.choice_BC[:, 0].max() < 300_000
    assert like.log_prob(batch).isfinite().all()


def test_rows_are_read_as_if_one_hot():
    spec = TableSpec((Block(3), Block(4, numbered=2)))
    reader = RowReader(spec, 5)
    batch = a_batch(spec, 20)
    known = torch.rand(20, 2) < 0.7
    batch = TableBatch(batch.choice_BC, batch.value_BC, known)
    want = torch.zeros(20, 5)
    for r in range(20):
        for c, start in ((0, 0), (1, 4)):
            slot = int(batch.choice_BC[r, c]) if known[r, c] else spec.blocks[c].choices
            want[r] += reader.choice.weight[start + slot]
    want += reader.value(batch.value_BC * known)
    assert torch.allclose(reader(batch), want, atol=1e-6)


def test_calibrated_draws_have_the_columns_frequencies():
    """Codes that lie elsewhere than the rows' own tilt every column; a few calls set them straight."""
    spec = TableSpec((Block(3), Block(6, numbered=2), Block(2)))
    head, batch = a_head(spec), a_batch(spec, 4000)
    features = torch.randn(4000, 6) + 1
    rare = torch.rand(4000) < 0.8
    batch.choice_BC[rare, 0] = 2
    want = torch.bincount(batch.choice_BC[:, 0], minlength=3) / 4000

    def off():
        with torch.no_grad(), seeded(1, "draw"):
            return (torch.bincount(head(features).draw().choice_BC[:, 0], minlength=3) / 4000 - want).abs().max()

    before = off()
    for _ in range(5):
        with torch.no_grad():
            head.calibrate(batch, head(features))
    assert before > 0.1
    assert off() < 0.03
