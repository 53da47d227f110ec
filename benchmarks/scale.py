"""python benchmarks/scale.py memory|judge|corpus|workers|ray|hosts: what docs/scale.md says of time, memory and deaths.

memory    fit and sample of tables of 20 columns, from --least to --most rows, as CSV: seconds and peak resident memory;
          with --figure FILE.svg, drawn
judge     two such tables and a tenth as many held-out rows, judged: seconds and peak resident memory
corpus    texts of 200 words, a tenth of --least to a tenth of --most of them, learnt for ten seconds: peak memory
workers   the loss of one worker and of two at one total batch; two, one of which is killed, and one that goes on
ray       1,000,000 rows on one process, two, and Ray; a worker and a driver that are killed; rows per core-second
hosts     the same two things between two network namespaces, which is as near as one machine comes to two (root, Linux)

Everything is written to a folder of its own and removed. Commands are those that a reader would type.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from synthloom.sources import write_table

SYNTHLOOM = [sys.executable, "-m", "synthloom"]


def people(rows: int, seed: int = 0, at_once: int = 100_000):
    """A table of 20 columns like a census, in frames: six numbers, twelve categories, a date, an identifier."""
    chance = np.random.default_rng(seed)
    sizes = {
        "workclass": 9,
        "education": 16,
        "marital": 7,
        "occupation": 15,
        "relationship": 6,
        "race": 5,
        "country": 42,
    }
    sizes |= {"region": 120, "employer": 1_000, "sex": 2, "income": 2, "status": 4}
    for start in range(0, rows, at_once):
        n = min(at_once, rows - start)
        age = np.clip(chance.gamma(6, 6.5, n), 17, 90).astype(int)
        hours = np.clip(chance.normal(40, 12, n), 1, 99).astype(int)
        gain = np.where(chance.random(n) < 0.08, chance.lognormal(8.5, 1.1, n), 0).astype(int)
        frame = {"age": age, "weight": chance.lognormal(12, 0.5, n).astype(int), "hours": hours, "gain": gain}
        frame["score"] = (0.3 * age + chance.normal(0, 5, n)).round(2)
        frame["tax"] = np.where(chance.random(n) < 0.1, np.nan, (age * hours * chance.gamma(2, 3, n)).round(2))
        for name, size in sizes.items():
            share = 1 / np.arange(1, size + 1)
            level = chance.choice(size, n, p=share / share.sum())
            frame[name] = np.array([f"{name}-{k}" for k in range(size)], object)[(level + age // 30) % size]
        day = np.datetime64("2015-01-01") + chance.integers(0, 3_000, n)
        frame |= {"hired": day.astype(str).astype(object), "person_id": np.arange(start, start + n) * 7 + 10**8}
        yield pd.DataFrame(frame)


def run(*call: object, **options: object) -> tuple[float, float, float]:
    """Seconds, processor seconds and peak resident memory (GiB) of a command."""
    began = time.monotonic()
    child = subprocess.Popen([str(word) for word in call], stderr=subprocess.PIPE, text=True, **options)
    said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(map(str, call))}\n{said}")
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20


def memory(folder: Path, least: int, most: int, fit_time: str, figure: Path | None) -> None:
    measured: list[tuple[float, ...]] = []
    print("| rows | CSV, MB | fit, s | of processor | peak, GiB | sample as many, s | of processor | peak, GiB |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    rows = least
    while rows <= most:
        data, model, out = folder / "people.csv", folder / "people.loom", folder / "fake.csv"
        write_table(people(rows), data)
        knobs = ["--model", "tvae", "--seed", 0, "--max-time", fit_time, "--set", "threads=1"]
        fit = run(*SYNTHLOOM, "fit", data, "--out", model, *knobs)
        size = data.stat().st_size / 1e6
        data.unlink()
        drawn = run(*SYNTHLOOM, "sample", model, "--rows", rows, "--out", out, "--seed", 0)
        out.unlink()
        model.unlink()
        measured.append((rows, *fit, *drawn))
        cells = [f"{rows:,}", f"{size:,.0f}"]
        cells += [f"{x:.0f}" if i < 2 else f"{x:.2f}" for figures in (fit, drawn) for i, x in enumerate(figures)]
        print(f"| {' | '.join(cells)} |", flush=True)
        rows *= 10
    if figure is not None:
        draw(measured, figure)


def draw(measured: list[tuple[float, ...]], path: Path) -> None:
    """Curves by rows: of a fit (solid) and of a sample as large (dashed)."""
    from judge_figures import alone

    from synthloom.reporting.figures import curves

    rows, _, fit_busy, fit_peak, _, draw_busy, draw_peak = map(list, zip(*measured, strict=True))
    seconds, peaks = ({"training": fit, "heldout": of} for fit, of in ((fit_busy, draw_busy), (fit_peak, draw_peak)))
    about = "Fit is the solid line, sample the dashed one."
    alone(
        path,
        ("processor seconds: fit (solid), sample", curves("Processor seconds", about, rows, seconds, "rows", log=True)),
        ("peak memory, GiB: fit (solid), sample", curves("Peak memory", about, rows, peaks, "rows", log=True)),
    )


def judge(folder: Path, least: int, most: int) -> None:
    print("| rows | s | of processor | peak, GiB |\n|---|---|---|---|", flush=True)
    rows = least
    while rows <= most:
        paths = [folder / f"{seed}.csv" for seed in range(3)]
        for seed, (path, count) in enumerate(zip(paths, (rows, rows, rows // 10), strict=True)):
            write_table(people(count, seed), path)
        real, fake, holdout = paths
        call = (*SYNTHLOOM, "evaluate", real, fake, "--holdout", holdout)
        wall, busy, peak = run(*call, stdout=subprocess.DEVNULL)
        print(f"| {rows:,} | {wall:.0f} | {busy:.0f} | {peak:.2f} |", flush=True)
        rows *= 10


def corpus(folder: Path, least: int, most: int) -> None:
    chance = np.random.default_rng(0)
    words = np.array([f"word{k}" for k in range(20_000)], object)
    share = 1 / np.arange(1, len(words) + 1)
    data, model = folder / "texts.txt", folder / "texts.loom"
    knobs = ["--kind", "text", "--model", "gru", "--seed", 0, "--max-time", "10s"]
    print("| texts | MB | s | of processor | peak, GiB |\n|---|---|---|---|---|", flush=True)
    texts = least // 10
    while texts <= most // 10:
        with data.open("w") as file:
            for start in range(0, texts, 1_000):
                some = chance.choice(words, (min(1_000, texts - start), 200), p=share / share.sum())
                file.writelines(" ".join(text) + "\n" for text in some.tolist())
        wall, busy, peak = run(*SYNTHLOOM, "fit", data, "--out", model, *knobs, "--set", "threads=1", "--force")
        print(f"| {texts:,} | {data.stat().st_size / 1e6:,.0f} | {wall:.0f} | {busy:.0f} | {peak:.2f} |", flush=True)
        texts *= 10


def workers(folder: Path) -> None:
    data = folder / "people.parquet"
    write_table(people(20_000), data)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    fit = ["-m", "synthloom", "fit", data, "--model", "tvae", "--set", "threads=1", "--set", "epochs=10"]

    def last_loss(model: Path) -> float:
        from synthloom import archive

        rows = archive.read(model).documents["history"]["rows"]
        return min(row["validation_loss"] for row in rows if "validation_loss" in row)

    print("| workers | seed | best validation loss |\n|---|---|---|", flush=True)
    for count in (1, 2):
        for seed in (0, 1, 2):
            model = folder / f"{count}-{seed}.loom"
            run(*torchrun, count, *fit, "--seed", seed, "--out", model)
            print(f"| {count} | {seed} | {last_loss(model):.4f} |", flush=True)
    model = folder / "killed.loom"
    call = [str(word) for word in (*torchrun, 2, *fit, "--seed", 0, "--out", model)]
    job = subprocess.Popen(call, stderr=subprocess.DEVNULL)
    checkpoint = Path(f"{model}.checkpoint")
    begun = _wait_for(lambda: checkpoint.exists() and _step(checkpoint) > 0, job)
    victim = next(pid for pid in tree(job.pid) if "RANK=1" in _environment(pid))
    os.kill(victim, signal.SIGKILL)
    print(f"killed worker 1 after step {begun and _step(checkpoint)}; torchrun ended with {job.wait()}", flush=True)
    run(*SYNTHLOOM, *fit[2:], "--seed", 0, "--out", model, "--resume")
    print(f"one worker went on: best validation loss {last_loss(model):.4f}")


def ray(folder: Path, rows: int, name: str) -> None:
    data, model = folder / "people.parquet", folder / "people.loom"
    write_table(people(5_000), data)
    knobs = ["--model", name, "--seed", 0, "--set", "epochs=1", "--set", "threads=1"]
    run(*SYNTHLOOM, "fit", data, "--out", model, *knobs)
    digests: dict[str, str] = {}
    print(
        "| engine | workers | s | processor s | rows per core-second | in tasks alone |\n|---|---|---|---|---|---|",
        flush=True,
    )
    for engine, count in (("local", 1), ("local", 2), ("ray", 1), ("ray", 2)):
        out = folder / f"{engine}-{count}"
        told = subprocess.run(
            [sys.executable, __file__, "job", model, out, str(rows), engine, str(count)],
            capture_output=True,
            text=True,
            check=True,
        )
        wall, busy, own = json.loads(told.stdout.splitlines()[-1])
        digests[out.name] = _digest(out)
        print(
            f"| {engine} | {count} | {wall:.0f} | {busy:.0f} | {rows / busy:,.0f} | {rows / own:,.0f}",
            flush=True,
        )
    print("the same bytes:", len(set(digests.values())) == 1, flush=True)
    for victim in ("worker", "driver"):
        out = folder / f"killed-{victim}"
        call = ["sample", model, "--rows", rows, "--seed", 7, "--out", out, "--engine", "ray", "--workers", 2]
        call = [*SYNTHLOOM, *map(str, call)]
        job = subprocess.Popen(call, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        _wait_for(lambda out=out: len(list(out.glob("part-*"))) > 3, job)
        if victim == "worker":
            pid = next(pid for pid in tree(job.pid) if "ray::part" in _command(pid))
            os.kill(pid, signal.SIGKILL)
            print(
                f"a worker was killed with {len(list(out.glob('part-*')))} parts done; the job ended with {job.wait()}"
            )
        else:
            job.kill()
            job.wait()
            done = len(list(out.glob("part-*")))
            run(*call, "--resume", stdout=subprocess.DEVNULL)
            print(f"the driver was killed with {done} parts done, and called again with --resume")
        print("the same bytes:", _digest(out) == digests["local-1"], flush=True)


def hosts(folder: Path, rows: int) -> None:
    """Two hosts that see one file system and nothing else of each other but a cable."""
    data, model = folder / "people.parquet", folder / "people.loom"
    write_table(people(20_000), data)
    ends = {"synthloom-a": "10.77.0.1", "synthloom-b": "10.77.0.2"}
    head, port = ends["synthloom-a"], 6379

    def ip(*words: object) -> str:
        return subprocess.run(["ip", *map(str, words)], check=True, capture_output=True, text=True).stdout

    def on(host: str, *call: object) -> subprocess.Popen:
        # nobody but the other one can reach the cluster, so it asks nobody who they are
        names = {"GLOO_SOCKET_IFNAME": "cable", "RAY_AUTH_MODE": "disabled"}
        words = ["ip", "netns", "exec", host, *map(str, call)]
        return subprocess.Popen(words, env=os.environ | names, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    try:
        for host in ends:
            ip("netns", "add", host)
        a, b = ends
        ip("link", "add", "cable", "netns", a, "type", "veth", "peer", "name", "cable", "netns", b)
        for host, address in ends.items():
            ip("-n", host, "addr", "add", f"{address}/24", "dev", "cable")
            for link in ("lo", "cable"):
                ip("-n", host, "link", "set", link, "up")
        together = ["--nnodes", 2, "--nproc-per-node", 1, "--master-addr", head, "--master-port", 29_400]
        fit = ["-m", "synthloom", "fit", data, "--out", model, "--model", "tvae", "--seed", 0, "--set", "epochs=3"]
        torchrun = [sys.executable, "-m", "torch.distributed.run", *together, "--node-rank"]
        ended = [job.wait() for job in [on(host, *torchrun, rank, *fit) for rank, host in enumerate(ends)]]
        print(f"torchrun on two hosts ended with {ended}, and the model is there: {model.exists()}", flush=True)
        ray = [Path(sys.executable).with_name("ray"), "start", "--num-cpus", 1, "--node-ip-address"]
        on(a, *ray, head, "--head", "--port", port, "--include-dashboard", "false").wait()
        on(b, *ray, ends[b], "--address", f"{head}:{port}").wait()
        for out, host, more in (
            ("one", a, ["--workers", 1]),
            ("two", a, ["--engine", "ray", "--address", f"{head}:{port}"]),
        ):
            call = [*SYNTHLOOM, "sample", model, "--rows", rows, "--seed", 7, "--out", folder / out, *more]
            on(host, *call).wait()
        print(
            "Ray on two hosts made the same bytes as one process:", _digest(folder / "one") == _digest(folder / "two")
        )
    finally:
        for host in ends:
            for pid in ip("netns", "pids", host).split():
                os.kill(int(pid), signal.SIGKILL)
            ip("netns", "del", host)


def job(model: str, out: str, rows: int, engine: str, count: int) -> None:
    """One job; prints its seconds, those of all processors, and those of its tasks alone."""
    from synthloom.scale import ENGINES, generate

    began, busy = time.monotonic(), 0.0
    make = ENGINES[engine]

    def measured(work, todo, workers, address):
        nonlocal busy
        for part, seconds in make(_Timed(work), todo, workers, address):
            measured.own += seconds
            yield part
            busy = max(busy, sum(map(_busy, [os.getpid(), *tree(os.getpid())])))

    measured.own = 0.0
    ENGINES[engine] = measured
    generate(model, out, rows, seed=7, engine=engine, workers=count)
    print(json.dumps([time.monotonic() - began, busy, measured.own]))


class _Timed:
    """The work, and the processor seconds that it took."""

    def __init__(self, work) -> None:
        self.work = work

    def __call__(self, number):
        began = time.process_time()
        return self.work(number), time.process_time() - began


def tree(pid: int) -> list[int]:
    """All that a process has started, and these in turn."""
    children = [int(word) for task in Path(f"/proc/{pid}/task").glob("*/children") for word in task.read_text().split()]
    return [one for child in children for one in (child, *tree(child))]


def _busy(pid: int) -> float:
    """Processor seconds of a process, and of its children that have ended."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, words[11:15])) / os.sysconf("SC_CLK_TCK")


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def _environment(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/environ").read_text(errors="replace").split("\0")


def _step(checkpoint: Path) -> int:
    from synthloom import archive

    return archive.read(checkpoint).documents["course"]["step"]


def _wait_for(ready, job: subprocess.Popen) -> bool:
    while not ready():
        if job.poll() is not None:
            raise SystemExit(f"the job ended with {job.returncode} before it could be killed")
        time.sleep(0.02)
    return True


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    if sys.argv[1:2] == ["job"]:
        job(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5], int(sys.argv[6]))
        sys.exit()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["memory", "judge", "corpus", "workers", "ray", "hosts"])
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the samples on Ray")
    parser.add_argument("--model", default="tvae", help="that draws on Ray: tvae is the fastest, nvae the default")
    parser.add_argument("--figure", type=Path, help="where to draw the curves of memory and time")
    parser.add_argument("--least", type=int, default=10_000, help="rows of the smallest table")
    parser.add_argument("--most", type=int, default=10_000_000, help="rows of the largest table")
    parser.add_argument("--fit-time", default="2m", help="how long training may take, reading not counted")
    said = parser.parse_args()
    with TemporaryDirectory(prefix="synthloom-scale-") as place:
        if said.what == "memory":
            memory(Path(place), said.least, said.most, said.fit_time, said.figure)
        elif said.what == "judge":
            judge(Path(place), said.least, said.most)
        elif said.what == "corpus":
            corpus(Path(place), said.least, said.most)
        elif said.what == "workers":
            workers(Path(place))
        elif said.what == "hosts":
            hosts(Path(place), said.rows)
        else:
            ray(Path(place), said.rows, said.model)
