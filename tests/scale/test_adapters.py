"""The engines that docs/scale.md shows, as they stand there."""

import re
from functools import partial
from pathlib import Path

import pytest

from synthloom.scale import Job, make_part
from synthloom.scale.parts import _sha256

PAGE = (Path(__file__).parents[2] / "docs" / "scale.md").read_text("utf-8")


@pytest.mark.parametrize(("name", "module"), [("dask", "dask.distributed"), ("spark", "pyspark")])
def test_engines_of_others_write_the_same_bytes(small, tmp_path, name, module):
    pytest.importorskip(module)
    shown = {}
    exec("\n".join(re.findall(r"(?m)^def on_\w+\(.*\n(?:    .*\n)+", PAGE)), shown)
    folders = []
    for engine in (lambda work, todo, *_: map(work, todo), shown[f"on_{name}"]):
        folder = tmp_path / str(len(folders))
        folder.mkdir()
        job = Job(str(small.path), str(folder), _sha256(small.path), 25_000, 7, ".csv")
        parts = list(engine(partial(make_part, job), range(3), 1, None))
        folders.append({part.name: (folder / part.name).read_bytes() for part in parts})
    assert len(folders[0]) == 3
    assert folders[0] == folders[1]
