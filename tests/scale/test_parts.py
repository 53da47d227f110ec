"""A folder of parts: the same bytes whoever makes them, whole after any death, and nothing there twice."""

import json
import multiprocessing
import os
import subprocess
import sys
from functools import partial

import pandas as pd
import pytest
import torch

import synthloom as sl
from synthloom.cli import main
from synthloom.errors import FileError, ModelFileError, UsageError
from synthloom.scale import Manifest, engines, generate, make_part
from synthloom.scale.engines import on_this_machine
from synthloom.scale.parts import Job, _sha256, _shards_per_part
from synthloom.sources import read_table

ROWS = 35_000


def contents(folder):
    """Every file of a folder, to the byte."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def whole(small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "parts"
    generate(small.path, folder, ROWS, seed=7, workers=1)
    return folder


def test_the_parts_are_the_sample(small, whole):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    sample = small.table.sample(ROWS, seed=7)
    torch.set_num_threads(threads)
    parts = read_table(whole)
    pd.testing.assert_frame_equal(parts, sample.reset_index(drop=True))
    assert parts["patient_id"].is_unique


def test_a_part_depends_on_its_number_alone(small, whole, tmp_path):
    job = Job(str(small.path), str(tmp_path), _sha256(small.path), ROWS, 7, ".parquet")
    for number in (3, 1, 3):
        part = make_part(job, number)
        assert (tmp_path / part.name).read_bytes() == (whole / part.name).read_bytes()


def test_two_workers_one_of_which_dies_write_the_bytes_of_one(small, whole, tmp_path):
    job = Job(str(small.path), str(tmp_path), _sha256(small.path), ROWS, 7, ".parquet")
    names = []
    for part in on_this_machine(partial(make_part, job), range(4), 2):
        if not names:
            multiprocessing.active_children()[0].kill()
        names.append(part.name)
    assert sorted(names) == [f"part-{number:05}.parquet" for number in range(4)]
    assert contents(tmp_path) == {name: data for name, data in contents(whole).items() if name[0] != "_"}


def test_a_part_that_kills_is_given_up(monkeypatch):
    monkeypatch.setattr(engines, "_DEATHS", 1)
    with pytest.raises(sl.errors.SynthloomError, match="died in a row"):
        list(on_this_machine(os._exit, [1, 2], 2))


DIES = """
import os, signal, sys
from synthloom.scale import ENGINES, generate

def die(work, todo, workers, address):
    yield work(todo[0])
    work(todo[1])
    os.kill(os.getpid(), signal.SIGKILL)

ENGINES["local"] = die
generate(sys.argv[1], sys.argv[2], int(sys.argv[3]), seed=7)
"""


def test_a_killed_job_goes_on_from_its_manifest(small, whole, tmp_path):
    out = tmp_path / "parts"
    call = [str(small.path), "--rows", str(ROWS), "--out", str(out), "--workers", "1"]
    assert subprocess.run([sys.executable, "-c", DIES, small.path, out, str(ROWS)], check=False).returncode == -9
    assert not json.loads((out / "_manifest.json").read_text())["complete"]
    assert main(["sample", *call, "--resume"]) == 0  # and takes the seed from there
    assert contents(out) == contents(whole)


def test_going_on_makes_what_is_missing_or_changed_and_nothing_else(small, whole, tmp_path):
    out = tmp_path / "parts"
    generate(small.path, out, ROWS, seed=7, workers=1)
    kept = (out / "part-00001.parquet").stat().st_mtime_ns
    (out / "part-00000.parquet").unlink()
    (out / "part-00003.parquet").write_bytes(b"half a file")
    generate(small.path, out, ROWS, workers=1, resume=True)
    assert contents(out) == contents(whole)
    assert (out / "part-00001.parquet").stat().st_mtime_ns == kept


def test_another_job_is_not_gone_on_with(small, whole, tmp_path):
    before = contents(whole)
    for differs in ({"seed": 8}, {"seed": 7, "asked": {"given": {"ward": "surgery"}}}, {"seed": 7, "ending": ".csv"}):
        with pytest.raises(UsageError, match="job that began it"):
            generate(small.path, whole, ROWS, resume=True, workers=1, **differs)
    with pytest.raises(FileError, match="new or empty"):
        generate(small.path, whole, ROWS, seed=7, workers=1)
    assert contents(whole) == before


def test_a_model_that_changed_is_refused(small, tmp_path):
    job = Job(str(small.path), str(tmp_path), "0" * 64, ROWS, 7, ".csv")
    with pytest.raises(ModelFileError, match="same model"):
        make_part(job, 0)


def test_rules_that_compare_all_rows_need_one_process(tmp_path):
    table = sl.TableSynthesizer("tvae", seed=0, epochs=1, rules=["unique(ward, age)"], batch_size=100)
    table.fit(sl.datasets.visits(200, seed=0)).save(tmp_path / "m.loom")
    with pytest.raises(UsageError, match="compares all rows"):
        generate(tmp_path / "m.loom", tmp_path / "parts", 10)


def test_a_billion_rows_are_no_more_than_a_few_thousand_files():
    for shards in (0, 1, 1_999, 2_001, 100_000):
        each = _shards_per_part(shards)
        assert each >= 1
        assert shards / each <= 2_000
    assert _shards_per_part(100) == 1


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_the_command_writes_parts_of_any_kind(small, tmp_path, ending):
    out = tmp_path / "parts"
    call = ["sample", str(small.path), "--rows", "12000", "--out", str(out), "--seed", "1", "--parts", ending]
    assert main([*call, "--given", "ward=surgery", "--workers", "1"]) == 0
    assert Manifest.read(out).rows == 12_000
    assert set(read_table(out)["ward"]) == {"surgery"}
    assert main([*call, "--workers", "1"]) == 2  # it is there
    assert main([*call[:5], str(tmp_path / "file.csv"), "--workers", "1"]) == 2  # no folder
    assert main([*call, "--workers", "1", "--force"]) == 0
    assert len(set(read_table(out)["ward"])) > 1


def test_no_rows_are_no_parts(small, tmp_path):
    assert main(["sample", str(small.path), "--rows", "0", "--out", str(tmp_path / "none")]) == 0
    assert json.loads((tmp_path / "none" / "_manifest.json").read_text())["complete"]


@pytest.mark.parametrize("kind", ["text", "image"])
def test_texts_and_images_come_in_parts_too(kind, tmp_path, monkeypatch):
    if kind == "text":
        new = sl.TextSynthesizer("gru", seed=0, epochs=1, pieces=400, width=16, size=4, prior="standard")
        fitted = new.fit(sl.datasets.notes(200, seed=0)["text"].tolist())
    else:
        new = sl.ImageSynthesizer("conv", seed=0, epochs=1, width=8, size=4, prior="standard")
        fitted = new.fit(sl.datasets.shapes(60, seed=0, size=8)[0])
    fitted.save(tmp_path / "m.loom")
    monkeypatch.setattr(type(fitted), "SHARD", 10)
    generate(tmp_path / "m.loom", tmp_path / "parts", 25, seed=1, workers=1)
    parts = sorted((tmp_path / "parts").glob("part-*"))
    assert [len(fitted.source.read(part)) for part in parts] == [10, 10, 5]
    assert {part.suffix for part in parts} == {fitted.source.parts}
