import io
import json
import sys
from types import SimpleNamespace

import pandas as pd
import pytest

from synthloom.errors import DataError, FileError, SynthloomError, UsageError
from synthloom.sources import SOURCES, Texts, kind_of, read_texts, write_texts

ODD = ["so it goes", "ünïcode 🙂", "שלום", " leading", 'a "quote", a comma', "tab\there", "= 1 + 1"]
SEVERAL_LINES = "one\ntwo\n\nthree"


@pytest.mark.parametrize("ending", [".txt", ".jsonl", ".csv", ".csv.gz", ".parquet", ""])
def test_what_is_written_is_read(tmp_path, ending):
    texts = [text.strip() for text in ODD] if ending == "" else ODD
    path = tmp_path / f"texts{ending}"
    assert write_texts(Texts(texts), path) == len(texts)
    assert read_texts(path) == texts
    assert write_texts(iter([Texts(texts[:3]), Texts(texts[3:])]), tmp_path / f"parts{ending}") == len(texts)
    assert read_texts(tmp_path / f"parts{ending}") == texts


@pytest.mark.parametrize("ending", [".jsonl", ".csv", ".parquet", ""])
def test_labels_and_line_breaks_come_back(tmp_path, ending):
    texts = Texts(["a b", SEVERAL_LINES, "c"], labels=["x", "y", "x"])
    write_texts(texts, tmp_path / f"texts{ending}")
    again = read_texts(tmp_path / f"texts{ending}")
    assert sorted(zip(again, again.labels, strict=True)) == sorted(zip(texts, texts.labels, strict=True))


def test_a_txt_file_takes_a_text_a_line(tmp_path):
    with pytest.raises(DataError, match=r"\.jsonl"):
        write_texts(Texts([SEVERAL_LINES]), tmp_path / "t.txt")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "t.txt").write_bytes("one\r\n\n  \ntwo".encode("utf-16"))
    assert read_texts(tmp_path / "t.txt") == ["one", "two"]


def test_class_folders_are_labels_and_what_lies_beside_them_is_not_read(tmp_path):
    for place in ("pos/1.txt", "neg/2.md", "neg/3.txt", "README.md", "neg/.hidden.txt", "neg/picture.png"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text(f"{place}\n")
    texts = read_texts(tmp_path)
    assert texts == ["neg/2.md", "neg/3.txt", "pos/1.txt"]
    assert texts.labels == ["neg", "neg", "pos"]
    assert read_texts(tmp_path / "neg").labels is None
    assert read_texts(tmp_path / "README.md") == ["README.md"]


def test_the_column_of_texts_is_found_or_said(tmp_path):
    frame = pd.DataFrame({"id": [1, 2], "label": ["u", None], "body": ["long enough to be a text", None], "who": "me"})
    frame.to_csv(tmp_path / "t.csv", index=False)
    texts = read_texts(tmp_path / "t.csv")
    assert texts == ["long enough to be a text", ""]
    assert texts.labels == ["u", None]
    assert read_texts(tmp_path / "t.csv", column="who", labels="id").labels == [1, 2]
    assert read_texts(tmp_path / "t.csv", column="who") == ["me", "me"]
    with pytest.raises(DataError, match=r"'bodies'.*body"):
        read_texts(tmp_path / "t.csv", column="bodies")
    frame[["id"]].to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match="column of text"):
        read_texts(tmp_path / "t.csv")


def test_json_lines_are_texts_or_objects(tmp_path):
    lines = ["a", {"text": "b", "label": 3}, {"label": 4, "text": "c"}]
    (tmp_path / "t.jsonl").write_text("\n\n".join(map(json.dumps, lines)))
    texts = read_texts(tmp_path / "t.jsonl")
    assert texts == ["a", "b", "c"]
    assert texts.labels == [None, 3, 4]
    (tmp_path / "t.jsonl").write_text('"a"\n[1]\n')
    with pytest.raises(FileError, match="line 2"):
        read_texts(tmp_path / "t.jsonl")
    (tmp_path / "t.jsonl").write_text('"a"\n\n"b\n')
    with pytest.raises(FileError, match="line 3"):
        read_texts(tmp_path / "t.jsonl")
    (tmp_path / "t.jsonl").write_text("")
    assert read_texts(tmp_path / "t.jsonl") == []


def test_standard_input_and_output_are_lines(monkeypatch):
    pipe = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=pipe))
    assert write_texts(Texts(ODD), "-") == len(ODD)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(pipe.getvalue())))
    assert read_texts("-") == ODD


def test_labels_go_with_their_texts():
    texts = SOURCES["text"].take(Texts("abc", [1, 2, 3]), [2, 0, 0])
    assert (texts, texts.labels) == (["c", "a", "a"], [3, 1, 1])
    with pytest.raises(UsageError, match="2 for 3"):
        Texts("abc", [1, 2])


def test_a_folder_is_only_written_whole_and_where_nothing_is(tmp_path):
    (tmp_path / "out").mkdir()
    write_texts(Texts(["a"], ["../up"]), tmp_path / "out")
    assert [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.txt")] == ["out/_._up/000000.txt"]
    with pytest.raises(FileError, match="new or empty"):
        write_texts(Texts(["a"]), tmp_path / "out")


@pytest.mark.parametrize("name", ["nothing.txt", "t.docx"])
def test_what_cannot_be_read_or_written_is_said(tmp_path, name):
    with pytest.raises(SynthloomError, match=name.replace(".", r"\.")):
        read_texts(tmp_path / name)
    with pytest.raises(SynthloomError, match="docx"):
        write_texts(Texts(["a"]), tmp_path / "t.docx")


def test_kinds_are_told_by_endings(tmp_path):
    for name, kind in (("a.csv", "table"), ("a.TXT", "text"), ("a.jsonl", "text"), ("-", "table"), ("a", "table")):
        assert kind_of(name) == kind
    for name in ("README.md", "data/1.csv", "data/2.csv", "posts/1/a.md", "posts/2/b.md", "posts/a.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    assert kind_of(tmp_path / "data") == "table"
    assert kind_of(tmp_path / "posts") == "text"
