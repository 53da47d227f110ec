"""The table NVAE beside our TVAE, beside its own decoder without a code, and beside independent columns.

    python benchmarks/table_nvae.py --train adult_train.csv --test adult_test.csv --target income
        [--seeds 5] [--halves] [--peer PYTHON] [--keep FOLDER]

Every training is with default settings but `protect=False`, as published methods protect nothing; the protected default
is printed beside it. Errors are in % against the training rows (sdmetrics 0.24 definitions); `xgb_train` and `xgb_test`
are 1 - (2 AUC - 1) of XGBoost told to find the synthetic rows among those of the training and of the test file, 3-fold;
`mle` is the published utility: XGBoost by a grid of 36 settings, chosen on a ninth of the synthetic rows, AUC on the
test file. With --halves a model is trained on half of the rows to see whose neighbours its rows are (dcr_share, 0.5 is
ideal). Rows drawn are as many as training rows. With --keep every training's scores, and the rows it drew, stay in a
folder, and what is there is not trained again. Seconds are those of the processor, whatever else the machine does: on
one thread they are those of the clock on a machine left alone. With --peer (the Python of an environment with ctgan)
ctgan's TVAE is trained as well, for its default 300 epochs and on as many threads, and its time printed. Needs the
`bench` extra.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import xgboost
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, train_test_split

import synthloom as sl
from synthloom import devices
from synthloom.metrics import METRICS, READERS, Context

JUDGED = ("shape_error", "trend_error", "wnmi_error", "alpha_precision", "beta_recall", "copy_rate")


def for_trees(*frames: pd.DataFrame) -> list[pd.DataFrame]:
    """The frames with every column that is no number as one and the same category."""
    together = pd.concat(frames, keys=range(len(frames)))
    for name in together:
        if together[name].dtype.kind not in "iuf":
            together[name] = together[name].astype(str).astype("category")
    return [together.loc[i] for i in range(len(frames))]


def xgb_detection(real: pd.DataFrame, synthetic: pd.DataFrame) -> float:
    rows = min(len(real), len(synthetic))
    both = pd.concat(for_trees(real.sample(rows, random_state=0), synthetic.sample(rows, random_state=0)))
    labels = np.repeat([1, 0], rows)
    scores = []
    for seen, held in StratifiedKFold(3, shuffle=True, random_state=0).split(both, labels):
        trees = xgboost.XGBClassifier(eval_metric="logloss", enable_categorical=True, random_state=0)
        trees.fit(both.iloc[seen], labels[seen])
        area = roc_auc_score(labels[held], trees.predict_proba(both.iloc[held])[:, 1])
        scores.append(2 * max(area, 0.5) - 1)
    return 1 - float(np.mean(scores))


def mle(synthetic: pd.DataFrame, test: pd.DataFrame, target: str) -> float:
    synthetic, test = for_trees(synthetic, test)
    codes = {value: i for i, value in enumerate(sorted(test[target].astype(str).unique()))}
    y, y_test = (frame[target].astype(str).map(codes).astype(int) for frame in (synthetic, test))
    x, x_test = synthetic.drop(columns=target), test.drop(columns=target)
    x_fit, x_held, y_fit, y_held = train_test_split(x, y, test_size=1 / 9, random_state=0)
    best = (-1.0, 0.0)
    for trees, weight, depth, gamma in itertools.product((10, 50, 100), (1, 10), (5, 10, 20), (0, 1)):
        model = xgboost.XGBClassifier(
            n_estimators=trees, min_child_weight=weight, max_depth=depth, gamma=gamma, enable_categorical=True
        ).fit(x_fit, y_fit)
        held, tested = (
            roc_auc_score(truth, model.predict_proba(rows)[:, 1])
            for truth, rows in ((y_held, x_held), (y_test, x_test))
        )
        best = max(best, (held, tested))
    return best[1]


def judge(train: pd.DataFrame, test: pd.DataFrame, synthetic: pd.DataFrame, target: str) -> dict[str, float]:
    context = Context(0, target, None)
    read, _ = READERS["table"]({"real": train, "synthetic": synthetic, "holdout": test}, context)
    scores = {name: METRICS["table"][name](*read, context).value for name in JUDGED}
    return {name: value for name, value in scores.items() if value is not None} | {
        "xgb_train": xgb_detection(train, synthetic),
        "xgb_test": xgb_detection(test, synthetic),
        "mle": mle(synthetic, test, target),
    }


def fitted(train: pd.DataFrame, seed: int, model: str, **knobs: Any) -> tuple[pd.DataFrame, dict[str, float]]:
    """Synthetic rows, and what making them took."""
    begin = time.process_time()
    table = sl.TableSynthesizer(model, seed=seed, **knobs).fit(train, progress=False)
    trained = time.process_time()
    synthetic = table.sample(len(train), seed=seed)
    took = {"fit_seconds": trained - begin, "rows_per_second": len(train) / (time.process_time() - trained)}
    last = table.history_.iloc[(table.info_["best_epoch"] or len(table.history_)) - 1]
    for name in ("reconstruction", "kl_gaussian", "kl_dirichlet"):
        if name in last:
            took[name] = float(last[name])
    with torch.inference_mode():
        q = table.net_.infer(table.codec_.encode(train.head(2000)))
        if hasattr(q, "process"):
            took["survivors"] = float(q.process.survey()["survivors"].float().mean())
    return synthetic, took


def dcr_share(train: pd.DataFrame, seed: int, model: str, **knobs: Any) -> float:
    """Of rows drawn by a model of half of the rows: how many are nearer to that half than to the other."""
    half, other = train_test_split(train, test_size=0.5, random_state=seed)
    synthetic, _ = fitted(half, seed, model, **knobs)
    context = Context(0, None, None)
    read, _ = READERS["table"]({"real": half, "synthetic": synthetic, "holdout": other}, context)
    return float(METRICS["table"]["dcr_share"](*read, context).value)


def peer_seconds(python: str, train: str, threads: int) -> float:
    script = Path(__file__).parent / "peers" / "ctgan_tvae.py"
    with tempfile.TemporaryDirectory() as folder:
        call = [python, str(script), train, str(Path(folder) / "peer.csv"), "300", str(threads)]
        said = subprocess.run(call, check=True, capture_output=True, text=True).stdout
    return float(json.loads(said.splitlines()[-1])["fit"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", required=True)
    parser.add_argument("--test", required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--only", nargs="*", help="some of the rows alone, by name")
    parser.add_argument("--halves", action="store_true", help="train each once more, on half of the rows")
    parser.add_argument("--peer", help="python of an environment with ctgan")
    parser.add_argument("--keep", type=Path, help="folder for what was found, one file for each training")
    options = parser.parse_args()
    # "None" is a word in some of these files, not a gap
    train, test = (pd.read_csv(path, keep_default_na=False) for path in (options.train, options.test))
    print(
        f"{Path(options.train).name}: {len(train):,} rows x {train.shape[1]}; test file {len(test):,}; "
        f"seeds 0 to {options.seeds - 1}; {options.threads or 'default'} thread(s) of {devices.usable_cores()} cores"
    )

    free = {"protect": False, "threads": options.threads}
    if options.peer:
        seconds = peer_seconds(options.peer, options.train, options.threads or devices.usable_cores())
        print(f"ctgan's TVAE, 300 epochs: {seconds:.0f} seconds", flush=True)
    makers: dict[str, tuple[str, dict[str, Any]]] = {
        "nvae": ("nvae", free),
        "nvae rate=0": ("nvae", free | {"rate": 0}),
        "tvae": ("tvae", free),
        "nvae protected": ("nvae", {"threads": options.threads}),
    }
    runs: dict[str, list[dict[str, float]]] = {}

    def independent(seed: int) -> tuple[pd.DataFrame, dict[str, float]]:
        rng = np.random.default_rng(seed)
        return train.apply(lambda column: column.to_numpy()[rng.integers(0, len(train), len(train))]), {}

    ways: dict[str, Callable[[int], tuple[pd.DataFrame, dict[str, float]]]] = {
        name: lambda seed, model=model, knobs=knobs: fitted(train, seed, model, **knobs)
        for name, (model, knobs) in makers.items()
    } | {"independent columns": independent}
    for name, make in ways.items():
        if options.only and name not in options.only:
            continue
        for seed in range(options.seeds):
            kept = options.keep and options.keep / f"{Path(options.train).stem} {name} {seed}.json"
            if kept and kept.exists():
                runs.setdefault(name, []).append(json.loads(kept.read_text()))
                continue
            synthetic, took = make(seed)
            scores = judge(train, test, synthetic.astype(train.dtypes), options.target) | took
            if options.halves and name in makers:
                model, knobs = makers[name]
                scores["dcr_share"] = dcr_share(train, seed, model, **knobs)
            runs.setdefault(name, []).append(scores)
            if kept:
                synthetic.to_parquet(kept.with_suffix(".parquet"))
                kept.write_text(json.dumps(scores))
            print(name, "seed", seed, {key: round(value, 4) for key, value in scores.items()}, flush=True)

    print(f"\n| mean (standard deviation) | {' | '.join(runs)} |\n|---|{'---|' * len(runs)}")
    for score in dict.fromkeys(key for of_one in runs.values() for scores in of_one for key in scores):
        cells = []
        for of_one in runs.values():
            values = [scores[score] for scores in of_one if score in scores]
            spread = f" ({statistics.stdev(values):.4f})" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.4f}{spread}" if values else "-")
        print(f"| {score} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
