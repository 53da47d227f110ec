"""Whether training survives `kill -9`: killed at random moments while it writes a checkpoint at every step.

    OMP_NUM_THREADS=1 python benchmarks/kill_resume.py [--kills 50] [--model tvae] [--set epochs=20] [--data FILE]

First a run that nothing disturbs. Then runs in processes of their own, each killed a random while after it has come
further, and each gone on with from the newest checkpoint; a run that ends before it is killed is compared and begun
anew. Printed: how often the newest checkpoint could be loaded, how many kills hit a write, what half-written files
are left when all is over, and how many of the finished runs gave the same model file, byte for byte.
"""

import argparse
import os
import random
import signal
import tempfile
import time
from pathlib import Path

import torch._dynamo  # noqa: F401 an optimizer imports it when first used: seconds, which no child need spend again

import synthloom as sl
from synthloom import archive


def main():
    options = arguments()
    synthesizer = getattr(sl, f"{options.kind.title()}Synthesizer")
    data = options.data or sl.datasets.visits(1_000)
    knobs = {"epochs": 20} | dict(pair.split("=", 1) for pair in options.set)
    folder = Path(tempfile.mkdtemp())
    checkpoint, straight, resumed = (folder / name for name in ("checkpoint", "straight", "resumed"))
    delay = random.Random(options.seed)

    def fork(out, **fit):
        child = os.fork()
        if child == 0:
            synthesizer(model=options.model, seed=0, **knobs).fit(data, progress=False, **fit).save(out)
            os._exit(0)
        return child

    def interrupted():
        return fork(resumed, checkpoint=checkpoint, checkpoint_seconds=0, resume=True)

    def same():
        return resumed.read_bytes() == straight.read_bytes()

    began = time.monotonic()
    os.waitpid(fork(straight), 0)
    print(f"{options.kind} {options.model}: undisturbed in {time.monotonic() - began:.1f} s", flush=True)
    kills = late = loaded = writing = finished = equal = 0
    while kills < options.kills:
        child = interrupted()
        if not moved(child, checkpoint, delay.uniform(0, options.within)):
            finished, equal = finished + 1, equal + same()
            continue
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if not checkpoint.exists():  # training had ended, and taken it away, but the model was not saved yet
            late += 1
            continue
        kills += 1
        writing += bool(halves(folder))
        loaded += "course" in archive.read(checkpoint).documents
    os.waitpid(interrupted(), 0)
    finished, equal = finished + 1, equal + same()
    print(f"kills {kills}, {writing} of them in the middle of a write; {late} more after the end of training")
    print(f"the newest checkpoint loaded {loaded} of {kills} times")
    print(f"half-written files left: {len(halves(folder))}")
    print(f"runs that finished with the same bytes: {equal} of {finished}")
    raise SystemExit(not (loaded == kills and equal == finished and not halves(folder)))


def moved(child, checkpoint, after):
    """Wait until `child` has written a newer checkpoint, and `after` seconds more; False if it has ended by then."""
    before, until = version(checkpoint), None
    while until is None or time.monotonic() < until:
        if os.waitpid(child, os.WNOHANG)[0]:
            return False
        if until is None and version(checkpoint) not in (None, before):
            until = time.monotonic() + after
        time.sleep(0.001)
    return True


def version(path):
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def halves(folder):
    return list(folder.glob(".*.part"))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", default="table", choices=["table", "text", "image"])
    parser.add_argument("--model", default="tvae")
    parser.add_argument("--data", type=Path, help="a file or folder; by default a made-up table")
    parser.add_argument("--set", action="append", default=[], metavar="KNOB=VALUE")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--within", type=float, default=1.0, help="seconds of progress between two kills, at most")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
