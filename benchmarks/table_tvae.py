"""Our TVAE beside ctgan's, same data, epochs, batch, sizes and threads, in one run.

    python benchmarks/table_tvae.py --train adult_train.csv --test adult_test.csv --peer PYTHON [--epochs 300]

PYTHON is the interpreter of an environment that holds `ctgan` (0.12.1 is what the documents quote); ctgan is not a
dependency of this project. Times are CPU seconds of the process, which on one thread is what a quiet machine takes and
should not depend on what else it does; as it does after all (shared caches), the time of an epoch is taken by short
fits of both in turn, and the ratio is the median over the rounds. Errors are in % against the training rows (sdmetrics
0.24 definitions), utility is on the test file. Rows drawn are as many as training rows.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import pandas as pd

import synthloom as sl
from synthloom import devices
from synthloom.training import Tracker

SAMPLE_SEED = 1


class Clock(Tracker):
    """Notes when training began, so that preparation and epochs can be told apart."""

    def __init__(self) -> None:
        self.begin = 0.0

    def start(self, info: object) -> None:
        self.begin = time.process_time()

    def log(self, step: int, scalars: object) -> None:
        pass

    def close(self) -> None:
        pass


def fit_ours(train: pd.DataFrame, epochs: int, threads: int, **knobs: object) -> tuple[dict[str, float], object]:
    """Seconds of preparation, training and everything, and the model."""
    table = sl.TableSynthesizer("tvae", seed=0, epochs=epochs, validation=0, threads=threads, protect=False, **knobs)
    clock = Clock()
    begin = time.process_time()
    table.fit(train, trackers=[clock], progress=False)
    total = time.process_time() - begin
    return {
        "preparation": clock.begin - begin,
        "fit": total,
    }, table


def peer_fit(options: argparse.Namespace, epochs: int, out: Path) -> dict[str, float]:
    script = Path(__file__).parent / "peers" / "ctgan_tvae.py"
    arguments = [options.peer, str(script), options.train, str(out), str(epochs), str(options.threads)]
    run = subprocess.run(arguments, capture_output=True, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def epochs_in_turn(train: pd.DataFrame, options: argparse.Namespace, out: Path) -> list[tuple[float, float]]:
    """CPU seconds of one epoch of theirs and of ours, in each round."""
    rounds = []
    for _ in range(options.rounds):
        theirs = peer_fit(options, 12, out)["epoch"]
        short, long = (fit_ours(train, epochs, options.threads)[0]["fit"] for epochs in (2, 12))
        rounds.append((theirs, (long - short) / 10))
    return rounds


def judge(train: pd.DataFrame, synthetic: pd.DataFrame, test: pd.DataFrame, target: str) -> dict[str, float | None]:
    scores = sl.evaluate(train, synthetic, test, target=target)
    return {score.name: score.value for score in scores}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", required=True)
    parser.add_argument("--test", required=True)
    parser.add_argument("--peer", required=True, help="python of an environment with ctgan")
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3, help="in how many rounds the time of an epoch is taken")
    parser.add_argument("--target", default="income")
    options = parser.parse_args()
    train, test = pd.read_csv(options.train), pd.read_csv(options.test)
    print(f"{Path(options.train).name}: {len(train):,} rows x {train.shape[1]}; test file {len(test):,} rows")
    print(
        f"epochs {options.epochs}, batch 500, latent 128, layers 128-128; seed 0; {options.threads} thread(s) of "
        f"{devices.usable_cores()} cores"
    )

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "peer.csv"
        rounds = epochs_in_turn(train, options, out)
        peer = peer_fit(options, options.epochs, out)
        peer_synthetic = pd.read_csv(out)
    peer_scores = judge(train, peer_synthetic, test, options.target)

    ours, table = fit_ours(train, options.epochs, options.threads)
    begin = time.process_time()
    synthetic = table.sample(len(train), seed=SAMPLE_SEED)
    ours["sample"] = time.process_time() - begin
    our_scores = judge(train, synthetic, test, options.target)

    # how soon is ours as good as theirs ends up? the whole fit of the fewest epochs that beats both errors
    soon = {}
    for epochs in (1, 2, 3, 5, 8, 12, 20, 30):
        seconds, early = fit_ours(train, epochs, options.threads)
        scores = judge(train, early.sample(len(train), seed=SAMPLE_SEED), test, options.target)
        if scores["shape_error"] <= peer_scores["shape_error"] and scores["trend_error"] <= peer_scores["trend_error"]:
            soon = {"epochs": epochs, "fit": seconds["fit"], **scores}
            break

    print(f"\n{'CPU seconds':24}{'ctgan':>12}{'synthloom':>12}{'ours/theirs':>14}")
    theirs_each, ours_each = zip(*rounds, strict=True)
    ratio = statistics.median(b / a for a, b in rounds)
    print(f"{'epoch, in turn':24}{min(theirs_each):12.3f}{min(ours_each):12.3f}{ratio:14.3f}")
    for name in ("preparation", "fit", "sample"):
        print(f"{name:24}{peer[name]:12.3f}{ours[name]:12.3f}{ours[name] / peer[name]:14.3f}")
    if soon:
        name = f"as good after {soon['epochs']} epochs"
        print(f"{name:24}{peer['fit']:12.3f}{soon['fit']:12.3f}{soon['fit'] / peer['fit']:14.3f}")
    print(f"\n{'score':24}{'ctgan':>12}{'synthloom':>12}{'ours/theirs':>14}")
    for name, value in our_scores.items():
        theirs = peer_scores[name]
        if value is not None and theirs is not None:
            ratio = f"{value / theirs:14.3f}" if theirs else f"{'-':>14}"
            print(f"{name:24}{theirs:12.3f}{value:12.3f}{ratio}")

    guarded = sl.TableSynthesizer("tvae", seed=0, epochs=options.epochs, validation=0, threads=options.threads)
    guarded.fit(train, progress=False)
    print("\nthe same with protection on, as by default:")
    for name, value in judge(train, guarded.sample(len(train), seed=SAMPLE_SEED), test, options.target).items():
        print(f"{name:24}{'' if value is None else f'{value:.3f}':>24}")


if __name__ == "__main__":
    main()
