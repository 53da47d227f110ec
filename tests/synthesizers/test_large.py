"""Tables that are larger than memory: a bounded part of them is held, and it does not show where they were cut."""

import numpy as np
import pandas as pd
import pytest
import torch

import synthloom as sl
from synthloom.codecs.store import StoredRows
from synthloom.codecs.table import TableCodec
from synthloom.sources import read_table, write_table
from synthloom.spec import TableBatch
from synthloom.synthesizers import large

ROWS, HELD = 3_000, 1_000


@pytest.fixture(autouse=True)
def little_memory(monkeypatch):
    monkeypatch.setattr(large, "HELD", HELD)
    monkeypatch.setattr(large, "_FRAME", 400)


@pytest.fixture(scope="module")
def real():
    visits = sl.datasets.visits(ROWS, seed=0)
    visits["number"] = np.arange(ROWS) + 10**6  # counts the rows, which no sample shows
    return visits


@pytest.fixture(scope="module")
def place(real, tmp_path_factory):
    """The table as one file, and in parts."""
    place = tmp_path_factory.mktemp("large")
    write_table(real, place / "whole.parquet")
    (place / "parts").mkdir()
    for k, cut in enumerate(np.array_split(np.arange(ROWS), 7)):
        write_table(real.iloc[cut], place / "parts" / f"{k}.parquet")
    return place


def fitted(path):
    return sl.TableSynthesizer("tvae", seed=0, epochs=2, batch_size=200, embedding_dim=4).fit(path)


def test_one_file_or_many_give_the_same_bytes(place, real, tmp_path):
    for name in ("whole.parquet", "parts"):
        table = fitted(place / name)
        table.save(tmp_path / f"{name}.loom")
    assert (tmp_path / "whole.parquet.loom").read_bytes() == (tmp_path / "parts.loom").read_bytes()
    assert table.info_["items"] == ROWS
    assert any(f"from 1,000 of {ROWS:,} rows" in note for note in table.info_["notes"])
    fake = table.sample(500, seed=0)
    assert (fake.dtypes == real.dtypes).all()
    for name in ("patient_id", "number"):  # none of those that the sample does not have, either
        assert table.schema_[name].type == "identifier"
        assert not set(fake[name]) & set(real[name])


def test_what_fits_is_learnt_as_ever(place, real, monkeypatch):
    monkeypatch.setattr(large, "HELD", ROWS)
    pd.testing.assert_frame_equal(fitted(place / "parts").sample(50, seed=0), fitted(real).sample(50, seed=0))


def test_the_columns_are_learnt_within_the_stated_bound(place, real):
    table = large.read(place / "whole.parquet", 0)
    codec = TableCodec(seed=0)
    table.fit(codec)
    off = 0.0616  # sqrt(ln(2 / 0.001) / 2,000)
    assert "6.16%" in table.note
    share = table.encode(codec).to(torch.device("cpu"))
    for name in ("age", "cost", "blood_pressure"):
        k, column = codec.place(name), codec.column(name)
        cells = column.scale.cells
        choice = share.choice_BC[:, k][share.known_BC[:, k] & (share.choice_BC[:, k] < cells)].numpy()
        below = np.cumsum(np.bincount(choice, minlength=cells)) / max(1, len(choice))
        assert np.abs(below - np.arange(1, cells + 1) / cells).max() < 2 * off, name


def test_gaps_are_those_of_the_whole_table(tmp_path):
    frame = pd.DataFrame({"a": np.arange(2_000) % 9 / 2, "b": np.arange(2_000) % 5 / 2})
    frame.loc[:7, "a"] = np.nan
    frame.loc[:7, "b"] = np.nan
    frame.loc[1_999, "b"] = 3.0
    frame.loc[1_998, "b"] = np.nan  # but for one row, together: which a sample may not have
    write_table(frame, tmp_path / "t.parquet")
    table = large.read(tmp_path / "t.parquet", 0)
    assert table.gaps.leaders == [0, 1]
    assert TableCodec().fit(frame).leaders_ == [0, 1]


def test_stored_rows_are_the_rows():
    generator = torch.Generator().manual_seed(0)
    choice_BC = torch.randint(300_000, (50, 3), generator=generator)
    value_BC = torch.randn(50, 3, generator=generator)
    batch = TableBatch(choice_BC, value_BC, value_BC > 0)
    stored = StoredRows.write([batch.take(torch.arange(20)), batch.take(torch.arange(20, 50))])
    index = torch.tensor([49, 0, 20, 19, 19])
    for name in ("choice_BC", "value_BC", "known_BC"):
        own, there = getattr(batch, name), stored.take(index).take(torch.arange(5)).to(torch.device("cpu"))
        assert torch.equal(getattr(there, name), own[index])


def test_a_table_of_text_is_no_different(real, tmp_path):
    write_table(real.head(1_500), tmp_path / "t.csv")
    table = fitted(tmp_path / "t.csv")
    assert (table.sample(20, seed=0).dtypes == read_table(tmp_path / "t.csv").dtypes).all()
