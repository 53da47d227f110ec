"""The commands of docs/texts.md, run on four corpora: python benchmarks/text_commands.py --data /path/to/text

Blog posts as a folder and as a CSV file, film reviews in folders named after their classes, and Shakespeare's lines.
Each model is trained for a bounded time, then draws, varies and walks from one text to another. Printed is what was
typed and what came out; the training curves and a map of the reviews' codes are drawn into --figures.
"""

import argparse
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from judge_figures import alone
from markupsafe import Markup

import synthloom as sl
from synthloom.reporting import figures
from synthloom.reporting.svg import drawing, tag
from synthloom.sources import Texts, read_texts, write_texts

CORPORA = {
    "shakespeare": ("poetry/tinyshakespeare.txt", ""),
    "reviews": ("movie-reviews", "--set sentences=true"),
    "posts": ("blog-posts/posts", "--set sentences=true"),
    "posts-csv": ("blog-posts/posts.csv", "--column content --labels category --set sentences=true"),
}

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--data", required=True, type=Path)
parser.add_argument("--figures", type=Path, default=Path("docs/figures"))
parser.add_argument("--max-time", default="100s")
parser.add_argument("--only", nargs="*", default=list(CORPORA))
parser.add_argument("--set", default="", help="more options of fit, as one word")
parser.add_argument("--models", type=Path, help="folder for the models")
given = parser.parse_args()
SEEN = ["to be or not to be", "this film is a great pleasure to watch .", "We are happy to announce a new release."]


def run(folder, command):
    print(f"$ synthloom {command}")
    done = subprocess.run(
        [sys.executable, "-m", "synthloom", *shlex.split(command)], cwd=folder, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(done.stderr)


def shown(path):
    for text in read_texts(path):
        print(" ".join(text.split()))
    print(flush=True)


def latent_map(text, texts):
    """The codes of texts with two labels, in the plane in which they spread most."""
    codes = text.encode(texts)
    codes = (codes - codes.mean(0)) / codes.std(0).clip(1e-6)
    _, _, axes = np.linalg.svd(codes, full_matrices=False)
    at = codes @ axes[:2].T
    at = 110 + 100 * at / np.abs(at).max(0)
    first = sorted(set(texts.labels))[0]
    dots = [
        tag("circle", cx=float(x), cy=float(y), r=2.0, class_="one" if label == first else "other")
        for (x, y), label in zip(at, texts.labels, strict=True)
    ]
    style = tag("style", Markup(".one { fill: var(--real); } .other { fill: none; stroke: var(--synthetic); }"))
    return drawing("Latent map", "Codes of texts, by label, on their two main axes", 220, 220, style, *dots)


with tempfile.TemporaryDirectory() as scratch:
    folder = given.models or Path(scratch)
    folder.mkdir(exist_ok=True)
    panels = []
    for name in given.only:
        source, options = CORPORA[name]
        data = folder / f"{name}{Path(source).suffix}"
        data.unlink(missing_ok=True)
        data.symlink_to((given.data / source).resolve())
        write_texts(Texts(SEEN), folder / "seen.txt")
        options = " ".join(f"--kind text {options} {given.set} --max-time {given.max_time} --seed 0 --force".split())
        run(folder, f"fit {data.name} --out {name}.loom {options}")
        run(folder, f"sample {name}.loom --rows 4 --seed 1 --out drawn.txt --force")
        shown(folder / "drawn.txt")
        run(folder, f"vary {name}.loom seen.txt --n 1 --strength 0.2 --seed 1 --out varied.txt --force")
        shown(folder / "varied.txt")
        run(folder, f"interpolate {name}.loom --from seen.txt:0 --to seen.txt:1 --steps 4 --out way.txt --force")
        shown(folder / "way.txt")
        text = sl.load(folder / f"{name}.loom")
        history = text.history_.to_dict("list")
        print(f"# {len(history['step'])} epochs, {history['step'][-1]} steps\n", flush=True)
        if len(history["step"]) > 1:
            panels.append((name, figures.training(history)))
        if name == "reviews":
            reviews = read_texts(data)
            openings = Texts([" ".join(review.split()[:25]) for review in reviews[::5]], reviews.labels[::5])
            alone(given.figures / "texts_map.svg", ("reviews by class", latent_map(text, openings)))
    if panels:
        alone(given.figures / "texts_curves.svg", *panels)
