"""Whatever walks through a lexicon writes its words, and every line of its words can be walked."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from synthloom.codecs.text import Options, TextCodec
from synthloom.likelihoods.lexicon import Lexicon
from synthloom.rng import seeded
from synthloom.spec import END

TEXTS = ["the cat sat on 12 mats", "a catalogue of cats, 123 of them", "so it goes - on and on!", "ab c"]
CODEC = TextCodec(Options(pieces=300, protect=False), seed=0)
CODEC.learn(TEXTS)
LEXICON = Lexicon.of(CODEC.words, CODEC.spec.pieces)


def walk(lexicon, seed, steps=30):
    node, written = torch.zeros(1, dtype=torch.int64), []
    with seeded(seed, "walk"):
        for _ in range(steps):
            allowed = lexicon.allowed(node)[0].nonzero()[:, 0]
            assert len(allowed), "a dead end"
            piece = allowed[torch.randint(len(allowed), (1,))]
            if piece == END:
                return written, True
            written.append(int(piece))
            node = lexicon.step(node, piece)
        return written, bool(lexicon.ends(node))


def words_in(written):
    return CODEC.pieces_.words(CODEC.pieces_.decode([[piece - 2 for piece in written]])[0])


def test_whatever_is_walked_is_words_of_the_lexicon():
    lengths = []
    for seed in range(300):
        written, whole = walk(LEXICON, seed)
        lengths.append(len(written))
        if whole:
            # at the edges of words space may join space; all else is as it was
            known = {word.strip() for word in CODEC.words}
            assert {word.strip() for word in words_in(written)} <= known
    assert sum(n > 5 for n in lengths) > 100


@given(st.sampled_from(TEXTS))
def test_every_text_of_known_words_can_be_walked(text):
    node = torch.zeros(1, dtype=torch.int64)
    for piece in CODEC.encode([text]).strip_T.tolist():
        assert LEXICON.allowed(node)[0, piece]
        node = LEXICON.step(node, torch.tensor([piece]))


def test_a_batch_is_walked_as_its_items_are():
    nodes = torch.tensor([0, 3, 1, 0, 7])
    together = LEXICON.allowed(nodes)
    alone = torch.cat([LEXICON.allowed(node[None]) for node in nodes])
    assert torch.equal(together, alone)


def test_a_word_that_is_left_out_cannot_be_written():
    words = {word: spelling for word, spelling in CODEC.words.items() if word.strip() != "cat"}
    lexicon = Lexicon.of(words, CODEC.spec.pieces)
    for seed in range(200):
        written, whole = walk(lexicon, seed)
        assert not whole or "cat" not in [word.strip() for word in words_in(written)]


def test_letters_do_not_touch_letters_unless_words_stand_apart():
    words = {"ab": (5,), "cd": (6,), "-": (7,)}
    node = torch.tensor([0])
    for apart, after in ((False, [END, 7]), (True, [END, 5, 6, 7])):
        lexicon = Lexicon.of(words, 9, apart=apart)
        allowed = lexicon.allowed(lexicon.step(node, torch.tensor([5])))
        assert allowed[0].nonzero()[:, 0].tolist() == after
