import json
from xml.etree import ElementTree

import pytest

import synthloom as sl
from synthloom.corpora import prepare
from synthloom.errors import DataError, FileError, UsageError
from synthloom.sources import Texts, read_texts, write_texts

LINES = sl.datasets.notes(300, seed=0)["text"].str.strip("!.").tolist()


def test_a_folder_of_parts_keeps_them_and_none_shares_a_text(tmp_path):
    for name, lines in (("train", LINES[:200]), ("valid", LINES[100:250]), ("test", LINES[200:])):
        (tmp_path / f"{name}.txt").write_text("\n".join(lines), "utf-8")
    corpus = prepare(tmp_path, shortest=3, longest=20, pieces=300)
    train, validation, test = (set(corpus.parts[name]) for name in ("train", "validation", "test"))
    assert all((train, validation, test))
    assert len(train | validation | test) == len(train) + len(validation) + len(test)
    assert train <= set(LINES[:200])
    assert corpus.left_out["in an earlier part"]


def test_a_file_is_cut_at_random_the_same_way_each_time(tmp_path):
    notes = sl.datasets.notes(400, seed=0)
    write_texts(Texts(notes["text"], notes["label"]), tmp_path / "notes.jsonl")
    first, second, other = (prepare(tmp_path / "notes.jsonl", shortest=1, pieces=300, seed=n).parts for n in (0, 0, 1))
    assert first == second != other
    assert len(first["train"]) >= 8 * len(first["test"])
    assert set(first["train"].labels) == {"praise", "complaint"}


def test_texts_become_sentences_of_a_length(tmp_path):
    (tmp_path / "one.txt").write_text("\n".join(["He came. She saw Dr. Who and laughed aloud! No."] * 30), "utf-8")
    cut, whole = (prepare(tmp_path / "one.txt", whole=whole, shortest=3, pieces=300) for whole in (False, True))
    assert set(cut.parts["train"]) == {"He came.", "She saw Dr. Who and laughed aloud!"}
    assert set(whole.parts["train"]) == {"He came. She saw Dr. Who and laughed aloud! No."}
    for corpus in (cut, whole):
        assert all(3 <= n <= 49 for counts in corpus.lengths.values() for n in counts)


def test_wikitext_is_written_as_people_write(tmp_path):
    (tmp_path / "wiki.txt").write_text(
        "\n".join([" = A = ", "The role @-@ player , Mr. B , won 1 @,@ 000 ."] * 9), "utf-8"
    )
    assert set(prepare(tmp_path / "wiki.txt", pieces=300).parts["train"]) == {"The role-player, Mr. B, won 1,000."}


def test_what_is_written_can_be_read(tmp_path):
    (tmp_path / "notes.txt").write_text("\n".join(LINES), "utf-8")
    corpus = prepare(tmp_path / "notes.txt", shortest=3, pieces=300)
    corpus.write(tmp_path / "corpus")
    assert read_texts(tmp_path / "corpus" / "train.jsonl") == corpus.parts["train"]
    facts = json.loads((tmp_path / "corpus" / "lengths.json").read_text("utf-8"))
    assert facts["parts"]["test"]["texts"] == len(corpus.parts["test"])
    ElementTree.parse(tmp_path / "corpus" / "lengths.svg")


def test_misuse_is_named(tmp_path):
    with pytest.raises(UsageError, match="shortest"):
        prepare("x.txt", shortest=9, longest=3)
    with pytest.raises(FileError, match="there is no"):
        prepare(tmp_path / "x.txt")
    (tmp_path / "void.txt").write_text("\n\n", "utf-8")
    with pytest.raises(DataError, match="none"):
        prepare(tmp_path / "void.txt")
    with pytest.raises((UsageError, FileError), match="ptb"):  # without the extra, or without a network
        prepare("ptb")
