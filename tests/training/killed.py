"""python killed.py FOLDER KILLS: trains in a child process that is killed again and again; prints what came of it.

Children are forked, so that torch is imported once.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path


def main(folder: Path, kills: int) -> None:
    import torch
    import torch._dynamo  # an optimizer does so when it is first used; seconds, which children need not spend again

    sys.path.insert(0, str(Path(__file__).parent))
    import conftest as toy

    from synthloom import archive
    from synthloom.training import RateTarget, train

    torch.set_num_threads(1)
    checkpoint = folder / "run.checkpoint"

    def work(out: Path, **options: object) -> None:
        net = toy.network()
        train(net, toy.points(), toy.points(80, seed=1), toy.settings(epochs=10), RateTarget(2.0), **options)
        archive.write(out, {}, {"network": net.state_dict()})

    def fork(out: Path, **options: object) -> int:
        child = os.fork()
        if child == 0:
            work(out, **options)
            os._exit(0)
        return child

    def version() -> int | None:
        return checkpoint.stat().st_mtime_ns if checkpoint.exists() else None

    os.waitpid(fork(folder / "straight"), 0)
    done, loaded, steps, random_delay = 0, 0, [0], random.Random(0)
    while done < kills:
        child = fork(folder / "resumed", checkpoint=checkpoint, checkpoint_seconds=0, resume=True)
        before = version()
        while version() in (None, before):  # it must have come further, if not far
            time.sleep(0.001)
        time.sleep(random_delay.uniform(0, 0.3))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        steps.append(archive.read(checkpoint).documents["course"]["step"])
        loaded, done = loaded + 1, done + 1
    os.waitpid(fork(folder / "resumed", checkpoint=checkpoint, checkpoint_seconds=0, resume=True), 0)
    print(
        json.dumps(
            {
                "kills": done,
                "loaded": loaded,
                "leftovers": [p.name for p in folder.iterdir() if p.suffix == ".part"],
                "same": (folder / "straight").read_bytes() == (folder / "resumed").read_bytes(),
                "steps": steps,
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
