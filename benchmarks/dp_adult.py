"""How useful is a table that was made under differential privacy, and does the promise hold up to an attack?

    python benchmarks/dp_adult.py --train adult_train.csv --test adult_test.csv [--model tvae] [--epsilon 8 2]
    python benchmarks/dp_adult.py --audit 250

The first fits within each budget, draws as many rows as there were, trains boosted trees on them to predict the target,
and prints the area under the ROC curve on real test rows, beside the spent budget, which may not be above what was
given. The second trains many times with and without one strange row, by the steps that every private fit takes, and
asks how well the two can be told apart by the model's own opinion of that row: that puts a lower bound under the true
epsilon (Clopper-Pearson, 95 %), which may not be above the claimed one. Fails where either is broken.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import pandas as pd
import torch
from scipy.stats import beta
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

import synthloom as sl
from synthloom import rng
from synthloom.codecs.table import TableCodec
from synthloom.models import MODELS
from synthloom.privacy import Account, Entry
from synthloom.spec import TableBatch
from synthloom.training import Private


def auroc(train: pd.DataFrame, test: pd.DataFrame, target: str) -> float:
    """Of trees that learnt from `train`, on `test`; the positive class is the test's rarer one."""
    positive = test[target].value_counts().index[-1]
    text = [name for name in test if not pd.api.types.is_numeric_dtype(test[name]) and name != target]
    levels = {name: sorted(set(train[name].dropna()) | set(test[name].dropna())) for name in text}

    def features(frame: pd.DataFrame) -> pd.DataFrame:
        codes = {name: pd.Categorical(frame[name], levels[name]).codes for name in text}
        return frame.drop(columns=target).assign(**codes)

    X, y = features(train), train[target] == positive
    if y.nunique() < 2:
        return 0.5
    trees = HistGradientBoostingClassifier(categorical_features=[name in text for name in X], random_state=0)
    return float(roc_auc_score(test[target] == positive, trees.fit(X, y).predict_proba(features(test))[:, 1]))


def utility(train: pd.DataFrame, test: pd.DataFrame, target: str, model: str, budgets: list[float], seeds: int) -> bool:
    print(f"real rows: AUROC {auroc(train, test, target):.3f}\n")
    print("| epsilon | seed | AUROC | spent | noise of steps | steps | CPU s |\n|---|---|---|---|---|---|---|")
    held = True
    for epsilon in budgets:
        found = []
        for seed in range(seeds):
            began = time.process_time()
            table = sl.TableSynthesizer(model, seed=seed, epsilon=epsilon, threads=1).fit(train, progress=False)
            seconds = time.process_time() - began
            told = table.info_["privacy"]
            found.append(auroc(table.sample(len(train), seed=seed), test, target))
            held &= told["spent"] <= epsilon
            steps = told["questions"][-1]
            print(
                f"| {epsilon:g} | {seed} | {found[-1]:.3f} | {told['spent']:.3f} | {steps['noise']:.2f} | "
                f"{steps['times']} | {seconds:.0f} |",
                flush=True,
            )
        print(f"| {epsilon:g} | mean | {np.mean(found):.3f} | | | | |")
    return held


def audit(runs: int, noise: float = 1.0, rate: float = 0.2, steps: int = 20) -> bool:
    """One strange row among a hundred, a quarter of the threshold's candidates to choose it, the rest to judge it."""
    people = sl.datasets.visits(100, seed=0)
    codec = TableCodec().fit(people)
    items, spec = codec.encode(people), codec.spec
    strange = TableBatch(
        torch.tensor([[block.choices - 1 for block in spec.blocks]]),
        torch.full((1, len(spec.blocks)), 3.0),
        torch.ones(1, len(spec.blocks), dtype=torch.bool),
    )
    knobs = {"compress_dims": (16,), "decompress_dims": (16,), "embedding_dim": 4, "learning_rate": 0.02}
    model = MODELS["table", "tvae"](**knobs)
    opinion: dict[bool, list[float]] = {False: [], True: []}
    for present in opinion:
        data = TableBatch.cat([items, strange]) if present else items
        for _ in range(runs):
            with rng.seeded(0):  # the attacker knows where the network starts
                net = model.build(spec)
                model.prepare(net, items)
            terms = Private(rate, noise, 1.0, steps, 100, items, {})
            run = terms.run(net, data, None, model.settings(0, 100), model.schedule(), {})
            with rng.seeded(rng.fresh_seed()):
                run.begin(None, 0, False)
                for _ in range(steps):
                    run._step()
                with torch.no_grad():
                    likes = [net.generate(net.infer(strange).mean).log_prob(strange).item()]
            opinion[present].append(float(np.mean(likes)))
    account = Account(1.0, 1e-5, 100, entries=[Entry(noise, rate, steps)])
    claimed = account.spent()
    out, inside = (np.array(opinion[present]) for present in (False, True))
    learn, judge = slice(0, runs // 4), slice(runs // 4, runs)
    candidates = np.quantile(np.concatenate([out[learn], inside[learn]]), np.linspace(0.02, 0.98, 49))
    threshold = max(candidates, key=lambda t: bound(out[learn] >= t, inside[learn] >= t))
    lower = bound(out[judge] >= threshold, inside[judge] >= threshold)
    area = roc_auc_score(np.repeat([0, 1], runs), np.concatenate([out, inside]))
    print(f"{runs} runs with and without a canary: AUC {area:.3f}, epsilon at least {lower:.2f}, claimed {claimed:.2f}")
    return bool(lower <= claimed)


def bound(false: np.ndarray, true: np.ndarray, delta: float = 1e-5) -> float:
    """What epsilon must be at least, if so many of the runs without and with the row are taken for ones with it."""
    n = len(true)
    low = beta.ppf(0.025, true.sum(), n - true.sum() + 1) if true.sum() else 0.0
    high = beta.ppf(0.975, false.sum() + 1, n - false.sum()) if false.sum() < n else 1.0
    return float(max(0.0, np.log(max(low - delta, 1e-12) / high)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train")
    parser.add_argument("--test")
    parser.add_argument("--target", default="income")
    parser.add_argument("--model", default="tvae", choices=["nvae", "tvae"])
    parser.add_argument("--epsilon", type=float, nargs="+", default=[8.0, 2.0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--audit", type=int, default=0, help="runs with, and runs without the strange row")
    said = parser.parse_args()
    torch.set_num_threads(1)
    held = True
    if said.train:
        train, test = pd.read_csv(said.train), pd.read_csv(said.test)
        held &= utility(train, test, said.target, said.model, said.epsilon, said.seeds)
    if said.audit:
        held &= audit(said.audit)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
