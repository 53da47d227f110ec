"""Texts and images that memory need not hold: where they lie and how they are cut leaves no trace."""

import numpy as np
import pytest
from PIL import Image

import synthloom as sl
from synthloom.sources import TextFile, read_texts, take_texts, texts_of, write_texts


@pytest.fixture(scope="module")
def notes():
    return texts_of(sl.datasets.notes(80))


@pytest.fixture(scope="module")
def place(notes, tmp_path_factory):
    place = tmp_path_factory.mktemp("corpus")
    write_texts(notes, place / "whole.jsonl")
    write_texts(notes, place / "whole.csv")
    for ending in ("jsonl", "parquet"):
        (place / ending).mkdir()
        for k, cut in enumerate(np.array_split(np.arange(len(notes)), 4)):
            write_texts(take_texts(notes, cut.tolist()), place / ending / f"{k}.{ending}")
    return place


@pytest.fixture
def little_at_once(monkeypatch):
    monkeypatch.setattr("synthloom.sources.texts._AT_ONCE", 7)
    monkeypatch.setattr("synthloom.codecs.text._AT_ONCE", 11)


def fitted(data, path):
    model = sl.TextSynthesizer("gru", seed=0, epochs=1, pieces=300, width=16, sentences=True, longest=12)
    model.fit(data).save(path)
    return path.read_bytes()


def test_texts_on_disk_are_learnt_as_those_that_are_held(notes, place, tmp_path, little_at_once):
    held = fitted(notes, tmp_path / "held.loom")
    for name in ("whole.csv", "jsonl"):
        assert fitted(place / name, tmp_path / "file.loom") == held, name


def test_a_file_of_texts_is_read_in_parts_and_again(notes, place, little_at_once):
    for name in ("whole.jsonl", "whole.csv", "jsonl", "parquet"):
        file = TextFile(place / name)
        assert list(file) == list(file) == list(notes) == read_texts(place / name)
        assert file.labels == list(notes.labels)
    assert max(map(len, TextFile(place / "jsonl").parts())) == 7


def test_a_folder_of_pictures_is_learnt_as_an_array(tmp_path):
    images, labels = sl.datasets.shapes(60, size=8)
    for n, (level, label) in enumerate(zip(images, labels, strict=True)):
        (tmp_path / "pictures" / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(level).save(tmp_path / "pictures" / label / f"{n:04}.png")
    order = sorted(range(len(images)), key=lambda n: (labels[n], n))

    def bytes_of(data, **labels):
        model = sl.ImageSynthesizer("conv", seed=0, epochs=1, width=8, size=4, prior="mixture")
        model.fit(data, **labels).save(tmp_path / "model.loom")
        return (tmp_path / "model.loom").read_bytes()

    array = bytes_of(images[order], labels=[labels[n] for n in order])
    assert bytes_of(tmp_path / "pictures") == array
