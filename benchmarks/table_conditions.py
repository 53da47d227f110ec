"""How true rows are to a condition, how well gaps are filled, and how near to a row what is made of it stays.

    python benchmarks/table_conditions.py --train adult_train.csv --test adult_test.csv [--model nvae] [--epochs 5]
                                          [--only conditions gaps neighbours] [--load model.loom] [--keep model.loom]

For each column in turn, and for five pairs of columns drawn by chance, a condition is taken from a training row: a
category is given as it stands, a number as the range from 10 % of the rows below it to 10 % above. Rows drawn under the
condition are judged against the real rows that meet it (training and test file together), on the columns that are left:
`shape_error` and `trend_error` in %. Beside it stands what as many rows drawn without a condition score against as
many real ones drawn by chance, and, as the floor, what real rows score against other real rows of the same number. Few
rows are noisy, so the three are only fair to each other.

Imputation: 20 % of the cells of rows of the test file are taken out by chance. Categories count by the share that is
guessed right, numbers by root mean square and mean absolute error in standard deviations of the training column. Beside
the model stand the mode or median, scikit-learn's IterativeImputer (numbers and category codes together; what is a
category is rounded to the nearest code) and one HistGradientBoosting per column that is told all the others with their
gaps.

Neighbours: rows of the test file are read back (`reconstruct`) and varied (`vary`) more and more. Printed is how many
of their categories stay, and how far their numbers go, in ranks of the column from 0 to 1; last for other test rows.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer

import synthloom as sl
from synthloom.metrics import METRICS, READERS, Context
from synthloom.sources import read_table


def errors(real: pd.DataFrame, synthetic: pd.DataFrame) -> tuple[float, float]:
    """Shape and trend error of as many rows of each."""
    rows = min(len(real), len(synthetic))
    context = Context(0, None, None)
    real, synthetic = (frame.sample(rows, random_state=0).reset_index(drop=True) for frame in (real, synthetic))
    read, _ = READERS["table"]({"real": real, "synthetic": synthetic}, context)
    shape, trend = (METRICS["table"][name](*read, None, context).value for name in ("shape_error", "trend_error"))
    return float(shape or 0), float(trend or 0)


def condition(real: pd.DataFrame, name: str, row: int) -> tuple[Any, pd.Series]:
    """What to ask of a column, and which real rows meet it."""
    cells, value = real[name], real[name].iloc[row]
    if cells.dtype.kind not in "iuf":
        return value, cells == value
    place = (cells < value).mean()
    low, high = cells.quantile([max(0.0, place - 0.1), min(1.0, place + 0.1)]).tolist()
    return (low, high), cells.between(low, high)


def conditions(table: sl.TableSynthesizer, real: pd.DataFrame, rows: int, rng: np.random.Generator) -> pd.DataFrame:
    names = [name for name in real if table.schema_[name].type not in ("identifier", "text", "constant")]
    pairs = [tuple(pair) for pair in rng.permutation(list(itertools.combinations(names, 2)))[:5].tolist()]
    free = table.sample(rows, seed=0)
    found = []
    for asked in [(name,) for name in names] + pairs:
        for _ in range(100):
            row = int(rng.integers(len(real)))
            parts = {name: condition(real, name, row) for name in asked}
            meets = np.logical_and.reduce([there for _, there in parts.values()])
            if meets.sum() >= 400:
                break
        rest = real.columns.difference(asked, sort=False)
        few = min(rows, int(meets.sum()) // 2)
        start = time.perf_counter()
        fake = table.sample(few, given={name: said for name, (said, _) in parts.items()}, seed=0)
        seconds = time.perf_counter() - start
        halves = real.loc[meets, rest].sample(frac=1, random_state=1)
        given, floor = errors(halves, fake[rest]), errors(halves.iloc[:few], halves.iloc[few : 2 * few])
        plain = errors(real[rest].sample(few, random_state=1), free[rest].head(few))
        found.append(
            {
                "given": " and ".join(f"{name}={said}" for name, (said, _) in parts.items()),
                "rows": few,
                "codes": table.given_share_,
                "seconds": seconds,
                **dict(zip(("shape", "trend"), given, strict=True)),
                **dict(zip(("shape free", "trend free"), plain, strict=True)),
                **dict(zip(("shape real", "trend real"), floor, strict=True)),
            }
        )
        print(pd.DataFrame(found[-1:]).to_string(index=False, header=len(found) == 1, float_format="%.2f"), flush=True)
    return pd.DataFrame(found)


def as_codes(train: pd.DataFrame, frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, pd.Index]]:
    """Categories as numbers by how common they are; gaps stay gaps."""
    levels = {name: train[name].value_counts().index for name in train if train[name].dtype.kind not in "iuf"}
    coded = frame.copy()
    for name, index in levels.items():
        code = pd.Series(index.get_indexer(frame[name]), frame.index, dtype=float)
        coded[name] = code.mask(code < 0)
    return coded.astype(float), levels


def fill_median(train: pd.DataFrame, holed: pd.DataFrame) -> pd.DataFrame:
    usual = {name: cells.median() if cells.dtype.kind in "iuf" else cells.mode()[0] for name, cells in train.items()}
    return holed.fillna(usual)


def fill_iterative(train: pd.DataFrame, holed: pd.DataFrame) -> pd.DataFrame:
    (known, levels), (asked, _) = as_codes(train, train), as_codes(train, holed)
    made = IterativeImputer(random_state=0, max_iter=10).fit(known).transform(asked)
    filled = pd.DataFrame(made, holed.index, holed.columns)
    for name, index in levels.items():
        filled[name] = index[filled[name].round().clip(0, len(index) - 1).astype(int)]
    return filled


def fill_boosted(train: pd.DataFrame, holed: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """One model for each column, fitted to training rows that miss as many of their other cells."""
    (known, levels), (asked, _) = as_codes(train, train), as_codes(train, holed)
    seen = known.mask(rng.random(known.shape) < 0.2)
    filled = holed.copy()
    for name in holed:
        hole = holed[name].isna()
        kind = HistGradientBoostingClassifier if name in levels else HistGradientBoostingRegressor
        model = kind(random_state=0, early_stopping=False).fit(seen.drop(columns=name), known[name])
        guess = model.predict(asked.loc[hole].drop(columns=name))
        filled.loc[hole, name] = levels[name][guess.astype(int)] if name in levels else guess
    return filled


def impute(table: sl.TableSynthesizer, train: pd.DataFrame, test: pd.DataFrame, rows: int, rng: Any) -> pd.DataFrame:
    train, truth = train.dropna(), test.dropna().sample(rows, random_state=0).reset_index(drop=True)
    numbers = {name for name in train if train[name].dtype.kind in "iuf"}
    truth = truth.astype(dict.fromkeys(numbers, float))
    gap = rng.random(truth.shape) < 0.2
    holed = truth.mask(gap)
    ways = {
        "mode, median": lambda: fill_median(train, holed),
        "IterativeImputer": lambda: fill_iterative(train, holed),
        "HistGradientBoosting": lambda: fill_boosted(train, holed, rng),
        "model, best": lambda: table.impute(holed, how="best", seed=0),
        "model, draw": lambda: table.impute(holed, seed=0),
    }
    scores = []
    for way, fill in ways.items():
        start = time.perf_counter()
        filled = fill()
        seconds = time.perf_counter() - start
        right, square, absolute = [], [], []
        for j, name in enumerate(truth):
            real, made = truth.loc[gap[:, j], name], filled.loc[gap[:, j], name]
            if name in numbers:
                off = (made.astype(float) - real) / train[name].std()
                square.append(float(np.sqrt(np.square(off).mean())))
                absolute.append(float(off.abs().mean()))
            else:
                right.append(float((made == real).mean()))
        means = [float(np.mean(values)) if values else np.nan for values in (right, square, absolute)]
        scores.append({"way": way} | dict(zip(("right", "rmse", "mae"), means, strict=True)) | {"seconds": seconds})
    return pd.DataFrame(scores)


def neighbours(table: sl.TableSynthesizer, test: pd.DataFrame, rows: int) -> pd.DataFrame:
    rows = min(rows, len(test))
    truth = test.sample(rows, random_state=0).reset_index(drop=True)
    numbers = [name for name in truth if truth[name].dtype.kind in "iuf"]
    order = {name: np.sort(test[name].dropna()) for name in numbers}

    def rank(name: str, cells: pd.Series) -> np.ndarray:
        first, last = (order[name].searchsorted(cells, side) for side in ("left", "right"))
        return (first + last) / 2 / len(order[name])

    def compare(way: str, made: pd.DataFrame) -> dict[str, Any]:
        made = made.reset_index(drop=True)
        same = [(made[name] == truth[name]).mean() for name in truth.columns.difference(numbers)]
        off = [np.abs(rank(name, made[name]) - rank(name, truth[name])).mean() for name in numbers]
        return {"way": way, "same": np.mean(same), "off": np.mean(off)}

    found = [compare("reconstruct", table.reconstruct(truth))]
    found += [compare(f"vary {s}", table.vary(truth, 1, s, seed=0)) for s in (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)]
    return pd.DataFrame([*found, compare("other rows", test.sample(rows, random_state=1))])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--model", default="nvae")
    parser.add_argument("--load", type=Path, help="a fitted model, instead of a training")
    parser.add_argument("--keep", type=Path, help="where to write the fitted model")
    parser.add_argument("--only", nargs="+", default=["conditions", "gaps", "neighbours"])
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--rows", type=int, default=4000, help="rows drawn for each condition")
    parser.add_argument("--holed", type=int, default=2000, help="rows with gaps")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    train, test = read_table(args.train), read_table(args.test)
    if args.load:
        table: Any = sl.load(args.load)
    else:
        knobs = {"epochs": args.epochs} if args.epochs else {}
        table = sl.TableSynthesizer(args.model, seed=0, protect=False, threads=args.threads, **knobs).fit(train)
        if args.keep:
            table.save(args.keep)
    rng = np.random.default_rng(0)
    if "conditions" in args.only:
        found = conditions(table, pd.concat([train, test], ignore_index=True), args.rows, rng)
        print("\nmeans\n" + found.mean(numeric_only=True).to_string(float_format="%.2f"))
    if "gaps" in args.only:
        print("\n20 % of the cells taken out")
        print(impute(table, train, test, args.holed, rng).to_string(index=False, float_format="%.3f"))
    if "neighbours" in args.only:
        print("\nnearer and farther")
        print(neighbours(table, test, args.holed).to_string(index=False, float_format="%.3f"))


if __name__ == "__main__":
    main()
