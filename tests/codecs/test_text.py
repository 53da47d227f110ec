"""The text codec: any text comes back, nothing that one text holds goes out, and what is saved reads again."""

import json
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from synthloom.codecs.passages import sentences
from synthloom.codecs.pieces import Pieces
from synthloom.codecs.text import Options, TextCodec
from synthloom.errors import DataError, FileError
from synthloom.spec import BLANK, END

SUBJECTS, VERBS, OBJECTS = (
    ("the cat", "a dog", "my aunt"),
    ("sees", "likes", "eats"),
    ("fish", "tea", "the sun", "9 figs"),
)
CORPUS = [f"{s} {v} {o}" for s in SUBJECTS for v in VERBS for o in OBJECTS]


def learnt(texts=CORPUS, labels=None, **options):
    codec = TextCodec(Options(**{"pieces": 300} | options), seed=0)
    return codec, codec.learn(texts, labels)


OPEN = {vocabulary: learnt(vocabulary=vocabulary, protect=False, longest=10_000)[0] for vocabulary in ("bpe", "word")}


@pytest.mark.parametrize("vocabulary", OPEN)
@given(st.text())
@settings(max_examples=300)
def test_any_text_comes_back(vocabulary, text):
    codec = OPEN[vocabulary]
    assert codec.decode(codec.encode([text, "tea", text])) == [text, "tea", text]


@pytest.mark.parametrize("vocabulary", OPEN)
@pytest.mark.parametrize(
    "text", ["", " ", "\0", "\r\n\r\n", "x" * 1_000, "ab\n" * 900, "🙂\u200d🙂", "שלום עולם", "\u202e"]
)
def test_odd_texts_come_back(vocabulary, text):
    assert OPEN[vocabulary].decode(OPEN[vocabulary].encode([text])) == [text]


def test_a_hundred_thousand_letters_are_cut_into_windows_and_encoded_up_to_the_longest():
    long = "figs " * 20_000
    codec, batch = learnt([*CORPUS, long, "x" * 100_000], protect=False, longest=32)
    assert batch.length_B.max() == 32
    assert (batch.token_BN[torch.arange(len(batch)), batch.length_B - 1] == END).all()
    assert "".join(codec.decode(batch)).count("figs") > 20_000
    assert codec.encode([long]).length_B.tolist() == [32]


def test_half_a_character_and_what_is_no_text_are_refused_by_number():
    for bad, word in (("\ud800", "half a character"), (3, "int"), (None, "NoneType")):
        with pytest.raises(DataError, match=f"number 1 .*{word}"):
            learnt(["tea", bad])
        with pytest.raises(DataError, match=f"number 1 .*{word}"):
            OPEN["bpe"].encode(["tea", bad])


@pytest.mark.parametrize(
    ("texts", "options"),
    [
        ([], {}),
        (["", " \n"], {"protect": False}),
        (["one repeated line"] * 100, {}),
        (CORPUS[:9], {}),
        (CORPUS, {"shortest": 60}),
    ],
    ids=["none", "blank", "one repeated line", "nine", "all too short"],
)
def test_too_little_to_learn_from_is_said_in_one_line(texts, options):
    with pytest.raises(DataError, match=r"^[^\n]*however[^\n]*$"):
        learnt(texts, **options)


def test_one_text_is_enough_without_protection():
    codec, batch = learnt(["a single text"], protect=False)
    assert codec.decode(batch) == ["a single text"]


# -- protection -------------------------------------------------------------------------------------------------------

SECRET = "my aunt keeps zygotes 48151 behind the sun"


@pytest.mark.parametrize("vocabulary", ["bpe", "word"])
@pytest.mark.parametrize("copies", [1, 10])
def test_words_of_one_text_are_not_in_what_is_trained_on_nor_in_the_state(vocabulary, copies):
    codec, batch = learnt([*CORPUS, *[SECRET] * copies], vocabulary=vocabulary, pieces=600)
    taught = codec.decode(batch)
    document, _ = codec.state()
    for word in ("keeps", "zygotes", "48151", "behind"):
        assert not any(word in text for text in taught)
        assert f" {word}" not in codec.words
        assert word not in json.dumps(document)
    last = batch.take(torch.tensor([len(batch) - 1]))
    assert (last.token_BN == BLANK).sum() == 4
    assert codec.decode(last) == ["my aunt the sun"]
    assert " aunt" in codec.words


def test_case_does_not_make_another_word():
    codec, _ = learnt([*CORPUS, "ZYGOTES", "eat zygotes"])
    assert {"ZYGOTES", " zygotes"} <= set(codec.words)
    codec, _ = learnt([*CORPUS, "Zygotes and zygotes"])
    assert not {"Zygotes", " zygotes"} & set(codec.words)


def test_a_long_text_is_one_text_however_it_is_cut():
    codec, _ = learnt([*CORPUS, "Zygotes eat.\n" * 40], sentences=True)
    assert "Zygotes" not in codec.words


def test_equal_texts_are_learnt_once_under_protection_and_as_often_as_they_are_without():
    assert len(learnt([*CORPUS, *CORPUS])[1]) == len(CORPUS)
    assert len(learnt([*CORPUS, *CORPUS], protect=False)[1]) == 2 * len(CORPUS)


def test_copies_of_what_one_row_holds_are_known_and_little_else():
    codec, _ = learnt([*CORPUS, "the sun likes tea", "the  Sun likes tea"])
    assert all(map(codec.is_copy, CORPUS))
    assert codec.is_copy("THE CAT  eats fish")
    assert not codec.is_copy("the sun likes tea")
    rng = random.Random(0)
    strangers = [" ".join(rng.choices("abcdefgh", k=12)) for _ in range(4_000)]
    assert sum(map(codec.is_copy, strangers)) / len(strangers) < 0.03
    assert not learnt(protect=False)[0].is_copy(CORPUS[0])


def test_labels_of_too_few_texts_are_open_and_the_commonest_comes_first():
    labels = ["rare"] * 4 + ["few"] * 6 + [7] * (len(CORPUS) - 11) + [None]
    codec, batch = learnt(labels=labels)
    assert codec.labels_ == [7, "few"]
    assert codec.decode_labels(batch) == [None] * 4 + ["few"] * 6 + [7] * (len(CORPUS) - 11) + [None]
    assert learnt(labels=labels, protect=False)[0].labels_ == [7, "few", "rare"]
    assert codec.encode(["tea", "tea"], ["few", "unheard of"]).label_B.tolist() == [1, -1]
    with pytest.raises(DataError, match="label"):
        learnt(labels=[0.5] * len(CORPUS))


# -- passages ---------------------------------------------------------------------------------------------------------


def test_windows_end_with_a_sentence_if_they_can():
    text = " ".join(["The cat likes tea."] * 40)
    codec, batch = learnt([text, *CORPUS], protect=False, longest=30)
    windows = codec.decode(batch)[: -len(CORPUS)]
    assert "".join(windows) == text
    assert all(window.endswith(".") for window in windows)


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("He met Mr. Smith, e.g. in No. 5. Then left.", ["He met Mr. Smith, e.g. in No. 5.", "Then left."]),
        ("J. R. Smith went.\n\nHome", ["J. R. Smith went.", "Home"]),
        (" . . ", [". ."]),
        ("", []),
    ],
)
def test_sentences(text, cut):
    assert sentences(text) == cut


@given(st.text(alphabet="aB .!?\"'\n"))
def test_sentences_lose_nothing_but_space(text):
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


# -- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vocabulary", ["bpe", "word"])
def test_a_saved_codec_is_the_same_codec(vocabulary):
    codec, _ = learnt(labels=["x"] * len(CORPUS), vocabulary=vocabulary)
    document, arrays = codec.state()
    again = TextCodec.load(json.loads(json.dumps(document)), {k: v.copy() for k, v in arrays.items()})
    assert again.words == codec.words
    assert again.spec == codec.spec
    assert torch.equal(again.encode([*CORPUS, SECRET]).strip_T, codec.encode([*CORPUS, SECRET]).strip_T)
    assert again.is_copy(CORPUS[0])
    again_document, again_arrays = again.state()
    assert again_document == document
    assert all(np.array_equal(again_arrays[name], arrays[name]) for name in arrays)
    assert codec.state()[0] == learnt(labels=["x"] * len(CORPUS), vocabulary=vocabulary)[0].state()[0]


def test_anybodys_tokenizer_is_taken_with_its_own_words(tmp_path):
    theirs = Tokenizer(models.WordPiece(unk_token="[UNK]", continuing_subword_prefix="##"))
    theirs.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    theirs.train_from_iterator(
        CORPUS, trainers.WordPieceTrainer(vocab_size=80, special_tokens=["[UNK]"], show_progress=False)
    )
    path = tmp_path / "tokenizer.json"
    theirs.save(str(path))
    codec, batch = learnt([*CORPUS, SECRET], vocabulary=str(path))
    assert Pieces.of(str(path)).apart
    assert not Pieces.of("bpe").apart
    assert "aunt" in codec.words
    assert "keeps" not in codec.words
    assert (batch.token_BN == BLANK).sum() == 4
    path.unlink()
    assert TextCodec.load(*codec.state()).words == codec.words
    for bad in (path, tmp_path):
        with pytest.raises(FileError, match="tokenizer"):
            learnt(vocabulary=str(bad))
    path.write_text("{}")
    with pytest.raises(FileError, match="tokenizer"):
        learnt(vocabulary=str(path))
