"""The command line as a person types it: files in, files out, exit codes, one line per mistake."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from synthloom import datasets
from synthloom.cli import VERBS, main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with data and a small model in it."""
    place = tmp_path_factory.mktemp("cli")
    datasets.visits(300, seed=0).to_csv(place / "real.csv", index=False)
    datasets.visits(300, seed=1).to_csv(place / "holdout.csv", index=False)
    assert (
        main(
            [
                "fit",
                str(place / "real.csv"),
                "--out",
                str(place / "m.loom"),
                "--model",
                "tvae",
                "--seed",
                "0",
                "--set",
                "epochs=3",
                "--set",
                "batch_size=50",
            ]
        )
        == 0
    )
    return place


def test_fit_leaves_the_model_and_no_checkpoint(folder):
    assert (folder / "m.loom").exists()
    assert not list(folder.glob("*.checkpoint"))
    assert not list(folder.glob(".*"))


def test_sample_writes_what_the_ending_says(folder, tmp_path):
    for ending in (".csv", ".csv.gz", ".parquet"):
        out = tmp_path / f"s{ending}"
        assert main(["sample", str(folder / "m.loom"), "--rows", "40", "--out", str(out), "--seed", "1"]) == 0
        frame = pd.read_parquet(out) if ending == ".parquet" else pd.read_csv(out)
        assert len(frame) == 40
        assert list(frame) == list(pd.read_csv(folder / "real.csv"))


def test_sample_to_standard_output_is_data_alone(folder, capsys):
    assert main(["sample", str(folder / "m.loom"), "--rows", "5", "--out", "-", "--seed", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert lines[0].startswith("patient_id,") or lines[0].startswith('"patient_id"')


def test_sample_with_conditions(folder, tmp_path):
    out = tmp_path / "given.csv"
    assert (
        main(
            [
                "sample",
                str(folder / "m.loom"),
                "--rows",
                "20",
                "--out",
                str(out),
                "--seed",
                "1",
                "--given",
                "ward=surgery",
                "--given",
                "age=50",
                "--given",
                "smoker=false",
            ]
        )
        == 0
    )
    frame = pd.read_csv(out)
    assert set(frame["ward"]) == {"surgery"}
    assert set(frame["age"]) == {50}
    assert set(frame["smoker"]) == {False}


def test_sample_with_ranges_sets_and_gaps(folder, tmp_path):
    out = tmp_path / "given.csv"
    given = ["age=30..40", "ward=surgery, oncology", "cost=..5000.5", "admitted=2023-02..", "tumour_marker="]
    options = [word for condition in given for word in ("--given", condition)]
    assert main(["sample", str(folder / "m.loom"), "--rows", "20", "--out", str(out), "--seed", "1", *options]) == 0
    frame = pd.read_csv(out)
    assert frame["age"].between(30, 40).all()
    assert set(frame["ward"]) <= {"surgery", "oncology"}
    assert (frame["cost"] <= 5000.5).all()
    assert (frame["admitted"] >= "2023-02-01").all()
    assert frame["tumour_marker"].isna().all()


def test_balance_and_rules(folder, tmp_path, capsys):
    out, model = str(tmp_path / "s.csv"), str(tmp_path / "m.loom")
    fit = ["fit", str(folder / "real.csv"), "--out", model, "--model", "tvae", "--set", "epochs=1", "--seed", "0"]
    assert main([*fit, "--rule", "age < blood_pressure", "--rule", "fixed(ward, smoker)"]) == 0
    assert main(["sample", model, "--rows", "40", "--out", out, "--balance", "ward=surgery:0.5, oncology:.5"]) == 0
    frame = pd.read_csv(out)
    assert frame["ward"].value_counts().to_dict() == {"surgery": 20, "oncology": 20}
    assert (frame["age"] < frame["blood_pressure"]).all()
    assert main(["sample", model, "--rows", "4", "--out", out, "--balance", "ward=surgery", "--force"]) == 2
    assert "--balance" in capsys.readouterr().err


def test_impute(folder, tmp_path, capsys):
    model, real, out = str(folder / "m.loom"), str(folder / "real.csv"), str(tmp_path / "full.csv")
    assert main(["impute", model, real, "--out", out, "--seed", "1"]) == 0
    assert "gaps filled" in capsys.readouterr().err
    before, after = pd.read_csv(real), pd.read_csv(out)
    assert after.notna().all(axis=None)
    there = before["tumour_marker"].notna()
    pd.testing.assert_frame_equal(after[there], before[there])
    assert main(["impute", model, real, "--out", out, "--n", "2", "--force"]) == 0
    assert list(pd.read_csv(out)["draw"].value_counts()) == [300, 300]


def test_verbs_on_rows(folder, tmp_path):
    model, real = str(folder / "m.loom"), str(folder / "real.csv")
    assert main(["reconstruct", model, real, "--out", str(tmp_path / "r.csv")]) == 0
    assert len(pd.read_csv(tmp_path / "r.csv")) == 300
    assert main(["encode", model, real, "--out", str(tmp_path / "z.npz")]) == 0
    assert np.load(tmp_path / "z.npz")["latent"].shape[0] == 300
    assert main(["encode", model, real, "--out", str(tmp_path / "z.csv")]) == 0
    assert main(["score", model, real, "--out", str(tmp_path / "l.csv")]) == 0
    assert pd.read_csv(tmp_path / "l.csv")["log_prob"].notna().all()
    assert (
        main(
            [
                "interpolate",
                model,
                "--from",
                f"{real}:3",
                "--to",
                real,
                "--steps",
                "4",
                "--out",
                str(tmp_path / "i.csv"),
            ]
        )
        == 0
    )
    assert len(pd.read_csv(tmp_path / "i.csv")) == 4
    pd.read_csv(real).head(3).to_csv(tmp_path / "three.csv", index=False)
    assert (
        main(
            [
                "vary",
                model,
                str(tmp_path / "three.csv"),
                "--n",
                "2",
                "--strength",
                "0.3",
                "--out",
                str(tmp_path / "v.csv"),
                "--seed",
                "0",
            ]
        )
        == 0
    )
    assert len(pd.read_csv(tmp_path / "v.csv")) == 6


def test_evaluate_prints_and_writes_scores(folder, tmp_path, capsys):
    real, out = str(folder / "real.csv"), tmp_path / "s.json"
    assert main(["evaluate", real, real, "--holdout", str(folder / "holdout.csv"), "--json", str(out)]) == 0
    assert "shape_error" in capsys.readouterr().out
    scores = {score["name"]: score for score in json.loads(out.read_text())["scores"]}
    assert scores["copy_rate"]["value"] == 1
    assert scores["shape_error"]["value"] == 0
    assert scores["shape_error"]["better"] == "lower"


def test_info_says_what_is_inside(folder, capsys):
    assert main(["info", str(folder / "m.loom")]) == 0
    said = capsys.readouterr().out
    for word in ("tvae", "epochs", "patient_id", "identifier", "seed 0"):
        assert word in said


def test_files_are_not_overwritten_unless_forced(folder, tmp_path, capsys):
    out = tmp_path / "s.csv"
    out.write_text("precious")
    sample = ["sample", str(folder / "m.loom"), "--rows", "3", "--out", str(out)]
    assert main(sample) == 2
    assert "--force" in capsys.readouterr().err
    assert out.read_text() == "precious"
    assert main([*sample, "--force"]) == 0


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["sample", "{m}", "--rows", "3"], "--out"),
        (["sample", "{m}", "--rows", "-1", "--out", "x.csv"], "--rows"),
        (["sample", "{m}", "--rows", "3", "--out", "x.xlsx"], ".csv"),
        (["sample", "nothing.loom", "--rows", "3", "--out", "x.csv"], "nothing.loom"),
        (["sample", "{real}", "--rows", "3", "--out", "x.csv"], "real.csv"),
        (["sample", "{m}", "--rows", "3", "--out", "x.csv", "--given", "ward"], "name=value"),
        (["sample", "{m}", "--rows", "3", "--out", "x.csv", "--given", "ward=garden"], "garden"),
        (["sample", "{m}", "--rows", "3", "--out", "nowhere/x.csv"], "nowhere"),
        (["fit", "nothing.csv", "--out", "x.loom"], "nothing.csv"),
        (["fit", "{real}", "--out", "x.loom", "--set", "epoch=3"], "epochs"),
        (["fit", "{real}", "--out", "x.loom", "--model", "tvea"], "tvae"),
        (["fit", "{real}", "--out", "x.loom", "--kind", "smell"], "table"),
        (["fit", "{real}", "--out", "x.loom", "--max-time", "soon"], "max_time"),
        (["fit", "{real}", "--out", "x.loom", "--device", "abacus"], "abacus"),
        (["interpolate", "{m}", "--from", "{real}:900", "--to", "{real}", "--out", "x.csv"], "900"),
        (["vary", "{m}", "{real}", "--strength", "2", "--out", "x.csv"], "--strength"),
        (["weave"], "weave"),
    ],
)
def test_a_mistake_gets_one_line_that_names_it_and_exit_code_2(folder, tmp_path, monkeypatch, capsys, arguments, word):
    monkeypatch.chdir(tmp_path)
    names = {"m": folder / "m.loom", "real": folder / "real.csv"}
    assert main([a.format(**names) for a in arguments]) == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1
    assert word in said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_the_traceback(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "synthloom", "info", str(tmp_path / "no.loom"), "--debug"],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1
    assert "Traceback" in run.stderr


def test_help_imports_nothing_heavy():
    """What makes `--help` quick; the time itself depends on the machine."""
    code = "import sys; from synthloom.cli import main; main(['--help']); print({'torch', 'pandas'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip().endswith("set()")


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_verb_explains_itself_and_its_options(verb, capsys):
    assert main([verb, "--help"]) == 0
    said = capsys.readouterr().out
    assert VERBS[verb].__doc__.split("\n")[0].split()[0] in said


def test_fit_and_sample_are_the_same_bytes_in_two_processes(folder, tmp_path):
    def elsewhere(arguments):
        return subprocess.run([sys.executable, "-m", "synthloom", *arguments], capture_output=True).returncode

    for name, run in (("a", main), ("b", elsewhere)):
        model, rows = str(tmp_path / f"{name}.loom"), str(tmp_path / f"{name}.csv")
        fit = ["fit", str(folder / "real.csv"), "--out", model, "--model", "tvae", "--seed", "3", "--set", "epochs=2"]
        assert run(fit) == 0
        assert run(["sample", model, "--rows", "50", "--seed", "4", "--out", rows]) == 0
    assert (tmp_path / "a.loom").read_bytes() == (tmp_path / "b.loom").read_bytes()
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_ctrl_c_keeps_what_was_learnt_and_resume_goes_on(folder, tmp_path, capsys):
    """Exit code 130, a usable model, a checkpoint; the resumed run ends where an uninterrupted one does."""

    def fit(name):
        knobs = [f"--set={knob}" for knob in ("epochs=30", "patience=none", "batch_size=10")]
        model = ["--out", str(tmp_path / name), "--model", "tvae", "--seed", "3"]
        return ["fit", str(folder / "real.csv"), *model, *knobs]

    log = tmp_path / "log.csv"
    process = subprocess.Popen(
        [sys.executable, "-m", "synthloom", *fit("a.loom"), "--log-csv", str(log)],
        stderr=subprocess.PIPE,
        text=True,
        # tests that run in the background of a shell inherit its deafness to Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    while process.poll() is None and not (log.exists() and log.stat().st_size > 60):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 130, said
    assert main(["sample", str(tmp_path / "a.loom"), "--rows", "3", "--out", str(tmp_path / "s.csv")]) == 0
    stopped = (tmp_path / "a.loom.checkpoint").read_bytes()
    (tmp_path / "a.loom").unlink()  # as if it had been killed
    assert main(fit("a.loom")) == 2
    assert "--resume or --force" in capsys.readouterr().err
    assert (tmp_path / "a.loom.checkpoint").read_bytes() == stopped
    assert main([*fit("a.loom"), "--resume"]) == 0
    assert main(fit("b.loom")) == 0
    assert (tmp_path / "a.loom").read_bytes() == (tmp_path / "b.loom").read_bytes()
    assert not (tmp_path / "a.loom.checkpoint").exists()
