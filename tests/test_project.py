"""The package as a whole: what its source says, what importing it does, what it needs, which way its imports point."""

import ast
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import synthloom

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "synthloom"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

# -- what the source may say ---------------------------------------------------------------------

UNSAFE_MODULES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
UNSAFE_CALLS = {"eval", "exec", "torch.load", "pd.read_pickle", "pandas.read_pickle", "torch.hub.load"}


def unsafe(source):
    """Lines of a source that can run what a file says: unpicklers, evaluators, and switches that allow them."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                bad = any(name.name.split(".")[0] in UNSAFE_MODULES for name in names)
            case ast.ImportFrom(module=module, names=names):
                whole = {f"{module}.{name.name}" for name in names}
                bad = (module or "").split(".")[0] in UNSAFE_MODULES or bool(whole & UNSAFE_CALLS)
            case ast.Call(func=func):
                bad = ast.unparse(func) in UNSAFE_CALLS
            case ast.keyword(arg="allow_pickle", value=value):
                bad = not (isinstance(value, ast.Constant) and value.value is False)
            case _:
                bad = False
        if bad:
            found.append(node.lineno if hasattr(node, "lineno") else node.value.lineno)
    return found


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import os, cloudpickle.cloudpickle",
        "from joblib import load",
        "from torch import load",
        "model = torch.load(path, weights_only=True)",
        "value = eval(text)",
        "exec(code, {})",
        "arrays = np.load(path, allow_pickle=True)",
        "frame = pd.read_pickle(path)",
    ],
)
def test_unsafe_source_is_recognised(source):
    assert unsafe(source) == [1]


def test_safe_source_is_not_accused():
    assert unsafe("net.eval()\nnp.load(path, allow_pickle=False)\nsafetensors.torch.load(data)\nre.compile(x)") == []


def test_nothing_in_the_package_runs_what_a_file_says():
    sources = sorted(PACKAGE.rglob("*.py"))
    assert len(sources) > 20
    assert {str(path.relative_to(ROOT)): lines for path in sources if (lines := unsafe(path.read_text("utf-8")))} == {}


def test_every_source_file_says_what_it_is():
    sources = [path for folder in ("src", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    silent = [path for path in sources if not ast.get_docstring(ast.parse(path.read_text("utf-8")))]
    assert [str(path.relative_to(ROOT)) for path in silent] == []


def test_the_front_door_is_asked_from_within_for_the_version_alone():
    """The import contracts leave it out, so what it would let through is caught here."""
    inside = {path.stem for path in PACKAGE.iterdir()} | {"__version__"}
    asked = {
        f"{path.relative_to(ROOT)}:{node.lineno}": ast.unparse(node)
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if (isinstance(node, ast.Import) and any(name.name == "synthloom" for name in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module == "synthloom" and {n.name for n in node.names} - inside)
    }
    assert asked == {}


def text_files():
    """Every file that is written by hand."""
    folders = [ROOT / name for name in ("src", "tests", "docs", "benchmarks", ".ci")]
    for path in [*ROOT.iterdir(), *(path for folder in folders for path in folder.rglob("*"))]:
        if (
            path.is_file()
            and "__pycache__" not in path.parts
            and path.suffix not in (".png", ".gz", ".parquet", ".loom")
        ):
            yield path


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        (
            "a path of one machine",
            r"(?:^|[^A-Za-z0-9_.])(?:/(?:home|root|work|tmp|Users)/|[A-Z]:\\(?:Users|home)\\)[A-Za-z]",
        ),
        ("an address that others reach", r"\b0\.0\.0\.0\b"),
        ("the host of a package index", r"(?:pypi|pythonhosted|download\.pytorch)\.org|--(?:extra-)?index-url"),
    ],
)
def test_no_file_names(what, pattern):
    this = Path(__file__).name  # holds the patterns themselves
    found = {
        f"{path.relative_to(ROOT)}:{number}": line
        for path in text_files()
        if path.name != this
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1)
        if re.search(pattern, line)
    }
    assert found == {}, f"holds {what}"


# -- what importing does -------------------------------------------------------------------------

SNAPSHOT = """
import json, locale, logging, os, random, signal, sys, threading, warnings

def snapshot():
    return {
        "warnings": [str(entry) for entry in warnings.filters],
        "environment": dict(os.environ),
        "logging": [logging.root.level, len(logging.root.handlers), logging.root.manager.disable],
        "random": hash(random.getstate()),
        "locale": locale.setlocale(locale.LC_ALL),
        "signals": [str(signal.getsignal(number)) for number in sorted(signal.valid_signals())],
        "hooks": [str(sys.excepthook), str(sys.displayhook), str(sys.meta_path)],
        "path": list(sys.path),
        "recursion": sys.getrecursionlimit(),
        "threads": threading.active_count(),
        "folder": [os.getcwd(), os.umask(os.umask(0o22))],
    }

before, known = snapshot(), set(sys.modules)
import synthloom
after = snapshot()
changed = [key for key in before if before[key] != after[key]]
print(json.dumps({"changed": changed, "imported": sorted(set(sys.modules) - known)}))
"""


def in_a_new_process(program, folder, *options):
    environment = os.environ | {"HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *options, "-c", program]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_changes_nothing_and_brings_nothing_heavy(tmp_path):
    said = json.loads(in_a_new_process(SNAPSHOT, tmp_path))
    assert said["changed"] == []
    brought = {name.partition(".")[0] for name in said["imported"]}
    third_party = brought & set(importlib.metadata.packages_distributions())
    assert third_party <= {"synthloom"}  # no torch, no pandas, nor anything else
    assert list(tmp_path.iterdir()) == []


def test_importing_is_quick(tmp_path):
    def processor_time(program):
        # the quickest of several is what the work takes; the others also waited for the rest of the machine
        program += "\nimport time\nprint(time.process_time())"
        return min(float(in_a_new_process(program, tmp_path)) for _ in range(7))

    assert processor_time("import synthloom") < 4 * processor_time("")  # Python itself starts in some 0.02 s


WATCHED = """
import sys

seen = []

def watch(event, arguments):
    if event.startswith("socket.") and event != "socket.gethostname" or event == "pickle.find_class":
        seen.append(event)

sys.addaudithook(watch)
{program}
print(sorted(set(seen)))
"""

WHOLE_PATH = """
import synthloom as sl

real, holdout = sl.datasets.visits(300, seed=0), sl.datasets.visits(300, seed=1)
sl.TableSynthesizer(model="tvae", seed=0, epochs=1).fit(real).save("visits.loom")
fake = sl.load("visits.loom").sample(300, seed=0)
sl.evaluate(real, fake, holdout, target="readmitted").to_json("scores.json")
"""


@pytest.mark.parametrize(
    ("program", "seen"),
    [
        (WHOLE_PATH, []),
        ("import socket\nsocket.socket().bind(('127.0.0.1', 0))", ["socket.__new__", "socket.bind"]),
        ("import pickle\npickle.loads(pickle.dumps(sys.exit))", ["pickle.find_class"]),
    ],
    ids=["from fit to scores", "an open door", "a pickle"],
)
def test_the_whole_path_opens_no_connection_and_unpickles_nothing(program, seen, tmp_path):
    assert in_a_new_process(WATCHED.format(program=program), tmp_path).splitlines()[-1] == str(seen)


# -- what it depends on --------------------------------------------------------------------------


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def core():
    """The names of all distributions that a plain installation, without extras, brings here."""
    from packaging.requirements import Requirement

    found, waiting = set(), [Requirement("synthloom")]
    while waiting:
        wanted = waiting.pop()
        key = (canonical(wanted.name), frozenset(wanted.extras))
        if key in found:
            continue
        found.add(key)
        for line in importlib.metadata.requires(wanted.name) or []:
            needed = Requirement(line)
            extras = wanted.extras or {""}
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(needed)
    return {name for name, _ in found}


COPYLEFT = re.compile(r"\bA?GPL|Affero|GNU General Public|BUSL|Business Source|SSPL|Commons Clause|NonCommercial", re.I)


def licence(name):
    """What a distribution declares: an SPDX expression, else its classifiers, else the first line of its licence."""
    metadata = importlib.metadata.metadata(name)
    classified = [c for c in metadata.get_all("Classifier") or [] if c.startswith("License ::")]
    written = (metadata.get("License") or "").strip().partition("\n")[0]
    return metadata.get("License-Expression") or ", ".join(classified) or written


def test_no_dependency_has_a_licence_that_would_bind_the_user():
    licences = {name: licence(name) for name in core()}
    assert {"synthloom", "torch", "pandas", "jinja2", "sympy"} <= set(licences)
    assert [name for name, said in licences.items() if not said] == []
    assert {name: said for name, said in licences.items() if COPYLEFT.search(said)} == {}


def test_copyleft_is_told_from_its_neighbours():
    binding = [
        "GPL-3.0-only",
        "AGPL-3.0",
        "BUSL-1.1",
        "License :: OSI Approved :: GNU General Public License v3 (GPLv3)",
    ]
    free = ["BSL-1.0", "MIT", "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)", "LGPL-2.1", "PSF-2.0"]
    assert all(COPYLEFT.search(said) for said in binding)
    assert not any(COPYLEFT.search(said) for said in free)


BARE = """
import importlib, json, pkgutil, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

blocked = set(json.loads(sys.argv[1]))
sys.meta_path.insert(0, Absent())
import synthloom
names = [m.name for m in pkgutil.walk_packages(synthloom.__path__, "synthloom.") if not m.name.endswith("__main__")]
names = [name for name in names if not name.startswith("synthloom.studio.web.")]  # whose door says what is missing
for name in names:
    importlib.import_module(name)
assert not blocked & {name.partition(".")[0] for name in sys.modules}
print(len(names))
"""


def test_every_module_imports_without_the_extras(tmp_path):
    brings = importlib.metadata.packages_distributions()
    kept = core() | {"setuptools", "pip"}  # part of many an environment, and looked for by torch
    blocked = [name for name, by in brings.items() if not kept & {canonical(distribution) for distribution in by}]
    assert {"pytest", "hypothesis", "tensorboard"} <= set(blocked)
    program = BARE.replace("sys.argv[1]", repr(json.dumps([*blocked, "wandb"])))
    assert int(in_a_new_process(program, tmp_path)) > 20


def test_the_lock_holds_what_is_needed_and_no_cuda():
    lock = (ROOT / "constraints.txt").read_text("utf-8")
    pins = {canonical(line.partition("==")[0]): line.partition("==")[2] for line in lock.splitlines() if line[0] != "#"}
    assert "" not in pins.values()
    assert "+" not in "".join(pins.values())
    assert [name for name in pins if re.match(r"nvidia|cuda|triton", name)] == []
    here = {name: importlib.metadata.version(name).partition("+")[0] for name in core() - {"synthloom", "setuptools"}}
    if any(pins.get(name, version) != version for name, version in here.items()):
        pytest.skip("other versions than the locked ones are installed here, and they may need other packages")
    assert here.keys() <= pins.keys()


def test_the_version_is_the_same_everywhere():
    assert synthloom.__version__ == PYPROJECT["project"]["version"] == importlib.metadata.version("synthloom")
    assert f"## {synthloom.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


# -- which way imports point ---------------------------------------------------------------------

CONTRACTS = [contract["name"] for contract in PYPROJECT["tool"]["importlinter"]["contracts"]]


def judge_imports(folder):
    """Contract -> whether it is kept, for the copy of the package in `folder`."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    environment = os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200"}
    command += ["--config", str(ROOT / "pyproject.toml")]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    said = re.sub(r"\x1b\[\d+m", "", done.stdout)  # older releases colour it
    verdicts = {
        name: word for name in CONTRACTS for word in re.findall(f"^{re.escape(name)} (KEPT|BROKEN)", said, re.M)
    }
    assert set(verdicts) == set(CONTRACTS), said + done.stderr
    assert (done.returncode == 0) == (set(verdicts.values()) == {"KEPT"})
    return {name for name, word in verdicts.items() if word == "BROKEN"}, said


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "synthloom", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_imports_keep_to_the_contracts(copy):
    broken, said = judge_imports(copy)
    assert broken == set(), said


@pytest.mark.parametrize(
    ("file", "line", "wall"),
    [
        ("errors.py", "import synthloom.rng", "Imports run downwards"),
        ("priors/__init__.py", "from synthloom.latents import Latent", "Imports run downwards"),
        ("novelty.py", "", "Imports run downwards"),
        ("vae.py", "from synthloom.schema import Schema", "Networks never see raw data"),
        ("likelihoods/__init__.py", "import pandas as pd", "Networks never see raw data"),
        ("training/__init__.py", "def late():\n    from synthloom.sources import csv", "Networks never see raw data"),
        ("metrics/__init__.py", "import synthloom.models", "Metrics never see models"),
        ("metrics/__init__.py", "from synthloom import vae", "Metrics never see models"),
        ("codecs/__init__.py", "from synthloom.nets import mlp", "Codecs never see networks"),
        ("codecs/table.py", "import synthloom.latents.gaussian", "Codecs never see networks"),
    ],
)
def test_a_wrong_import_is_caught(copy, file, line, wall):
    path = copy / "synthloom" / file
    path.write_text((path.read_text("utf-8") if path.exists() else '"""New."""\n') + f"\n{line}\n", "utf-8")
    broken, said = judge_imports(copy)
    assert any(name.startswith(wall) for name in broken), said
