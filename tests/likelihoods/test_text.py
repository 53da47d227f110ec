"""The likelihood of a text: it sums to one, draws what it scores, obeys what it is told, and steps as it trains."""

import pytest
import torch

from synthloom.likelihoods import text as module
from synthloom.likelihoods.lexicon import Lexicon
from synthloom.likelihoods.text import Style, TextDecoder
from synthloom.nets.recurrent import RecurrentDecoder
from synthloom.nets.text import Embedding
from synthloom.nets.transformer import Attention, Decoder
from synthloom.rng import seeded
from synthloom.spec import BLANK, END, TextBatch, TextSpec

SPEC = TextSpec(pieces=6, longest=4, labels=2)


def a_decoder(stack, spec=SPEC, seed=0):
    with seeded(seed, "decoder"):
        embedding = Embedding(spec, 8)
        if stack == "transformer":
            net = Decoder(8, 2, 2, cross=lambda: Attention(8, 2, memory_width=3))
        else:
            net = RecurrentDecoder(stack, 8, 3, layers=2)
        decoder = TextDecoder(embedding, net, spec).eval()
        torch.nn.init.normal_(decoder.label.weight)
    return decoder


def a_code(decoder, items, seed=0):
    """The same code for all."""
    with seeded(seed, "code"):
        if isinstance(decoder.stack, Decoder):
            return torch.randn(1, 2, 3).expand(items, 2, 3), torch.ones(items, 2, dtype=torch.bool)
        return torch.randn(1, 3).expand(items, 3)


STACKS = pytest.mark.parametrize("stack", ["transformer", "gru", "lstm"])


def every_text(spec):
    """All texts there can be, those that are cut off at the longest included."""
    texts, open_ones = [], [[]]
    for _ in range(spec.longest):
        longer = [[*text, piece] for text in open_ones for piece in range(spec.pieces)]
        texts += [text for text in longer if text[-1] == END]
        open_ones = [text for text in longer if text[-1] != END]
    return texts + open_ones


@STACKS
@torch.no_grad()
def test_probabilities_of_all_texts_sum_to_one(stack):
    decoder = a_decoder(stack)
    texts = [text for text in every_text(SPEC) if BLANK not in text]
    batch = TextBatch.of(texts)
    chance = decoder(a_code(decoder, len(texts))).log_prob(batch).double().exp().sum()
    # what is missing is what BLANK would have had at each step, which drawing gives to the others
    assert 0.3 < chance < 1
    whole = TextBatch.of(every_text(SPEC))
    blank = (whole.token_BN == BLANK).any(1)
    nats = decoder(a_code(decoder, len(whole))).log_prob(whole)
    assert (nats[~blank].double().exp().sum() - chance).abs() < 1e-6


@STACKS
@torch.no_grad()
def test_texts_come_as_often_as_their_probability_says(stack):
    decoder = a_decoder(stack)
    decoder.embedding.piece.weight[BLANK] = 0  # so that taking BLANK away changes little but the sum
    n = 20_000
    with seeded(0, "draw"):
        drawn = decoder(a_code(decoder, n)).draw()
    rows, counts = torch.unique(drawn.token_BN[drawn.length_B <= 2], dim=0, return_counts=True)
    for row, count in zip(rows.tolist(), counts.tolist(), strict=True):
        text = [*row[: row.index(END)], END]
        expected, before = 1.0, []
        for piece in text:  # step by step, without BLANK
            step = TextBatch.of([[*before, other] for other in range(SPEC.pieces) if other != BLANK])
            logs = decoder(a_code(decoder, len(step))).log_prob(step)
            index = [other for other in range(SPEC.pieces) if other != BLANK].index(piece)
            expected *= float(logs.softmax(0)[index])
            before.append(piece)
        assert abs(count / n - expected) < 5 * (expected * (1 - expected) / n) ** 0.5 + 1e-3, text


@STACKS
@torch.no_grad()
def test_the_best_guess_is_what_stepping_through_scores_finds(stack):
    decoder = a_decoder(stack, seed=3)
    drawn = decoder(a_code(decoder, 1)).draw(temperature=0.0)
    text = []
    while len(text) < SPEC.longest and END not in text:
        step = TextBatch.of([[*text, piece] for piece in range(SPEC.pieces) if piece != BLANK])
        best = decoder(a_code(decoder, len(step))).log_prob(step).argmax()
        text.append([piece for piece in range(SPEC.pieces) if piece != BLANK][best])
    assert drawn.token_BN[0, : len(text)].tolist() == text
    assert drawn.length_B.tolist() == [len(text)]


@STACKS
@torch.no_grad()
def test_blanks_say_nothing_and_labels_matter(stack):
    decoder = a_decoder(stack)
    like = decoder(a_code(decoder, 3))
    assert like.log_prob(TextBatch.of([[BLANK, BLANK]] * 3)).tolist() == [0, 0, 0]
    scores = like.log_prob(TextBatch.of([[3, 4, END]] * 3, [-1, 0, 1]))
    assert len(set(scores.tolist())) == 3


@STACKS
@torch.no_grad()
def test_what_is_given_stands_and_the_rest_is_written(stack):
    decoder = a_decoder(stack)
    given = TextBatch.of([[], [4], [3, 5], [5, END]], [0, 1, -1, 0])
    with seeded(0, "draw"):
        drawn = decoder(a_code(decoder, 4)).draw(given=given)
    assert drawn.token_BN[1, 0] == 4
    assert drawn.token_BN[2, :2].tolist() == [3, 5]
    assert drawn.token_BN[3].tolist() == [5, END, END, END][: drawn.token_BN.shape[1]]
    assert drawn.label_B.tolist() == [0, 1, -1, 0]
    assert not (drawn.token_BN == BLANK).any()


@torch.no_grad()
def test_texts_end_with_a_whole_word_and_hold_none_but_known_ones():
    decoder = a_decoder("transformer")
    lexicon = Lexicon.of({"a": (2, 3), " b": (4,)}, SPEC.pieces)
    with seeded(0, "draw"):
        drawn = decoder(a_code(decoder, 500)).draw(style=Style(lexicon=lexicon))
    for text, n in zip(drawn.token_BN.tolist(), drawn.length_B.tolist(), strict=True):
        said = "".join(map(str, text[:n])).replace("23", "a").replace("4", "b").rstrip("0")
        assert set(said) <= {"a", "b"}, text
    assert drawn.length_B.max() == SPEC.longest


@torch.no_grad()
def test_top_k_and_top_p_keep_to_what_is_likely():
    decoder = a_decoder("gru", seed=1)
    step = TextBatch.of([[piece] for piece in range(SPEC.pieces) if piece != BLANK])
    chance = decoder(a_code(decoder, len(step))).log_prob(step).softmax(0)
    ranked = [[p for p in range(SPEC.pieces) if p != BLANK][i] for i in chance.argsort(descending=True)]
    for style, kept in ((Style(top_k=2), 2), (Style(top_k=1), 1), (Style(top_p=1e-9), 1), (Style(top_p=1.0), 5)):
        with seeded(0, "draw"):
            drawn = decoder(a_code(decoder, 2_000)).draw(style=style)
        first = drawn.strip_T[drawn.start_B].tolist()
        assert set(first) == set(ranked[:kept])


@STACKS
def test_gradients_reach_all_and_are_the_same_in_chunks(stack, monkeypatch):
    decoder = a_decoder(stack)
    batch = TextBatch.of([[3, 4, END], [5, END], [BLANK, 2, 3, END]], [0, 1, -1])

    def gradients():
        decoder.zero_grad()
        decoder(a_code(decoder, 3)).log_prob(batch).sum().backward()
        return {name: p.grad.clone() for name, p in decoder.named_parameters() if p.grad is not None}

    whole = gradients()
    monkeypatch.setattr(module, "_CHUNK", 2 * SPEC.pieces)
    chunks = gradients()
    assert whole.keys() == dict(decoder.named_parameters()).keys()
    assert all(torch.allclose(whole[name], chunks[name], atol=1e-6) for name in whole)


def test_hidden_words_are_hidden_in_training_alone_and_ever_fewer():
    decoder = a_decoder("transformer")
    decoder.word_dropout = 1.0
    batch = TextBatch.of([[3, 4, 5, END]] * 2)
    still = decoder(a_code(decoder, 2)).log_prob(batch)
    decoder.train()
    decoder.label.weight.data.zero_()  # labels are left open at times, too
    decoder.eval()
    still = decoder(a_code(decoder, 2)).log_prob(batch)
    decoder.train()
    assert not torch.allclose(decoder(a_code(decoder, 2)).log_prob(batch), still)
    decoder.progress = 1.0
    assert torch.allclose(decoder(a_code(decoder, 2)).log_prob(batch), still)
