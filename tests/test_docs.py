"""What the documents say is true: their examples run, their links lead somewhere, and every command is in them."""

import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOTEBOOKS = sorted((ROOT / "docs").rglob("*.ipynb"))
PAGES = sorted({*ROOT.glob("*.md"), *GUIDES})

RUN = {"python", "console"}
SHOWN = {"text", "json", "jsonl", "csv", "toml", "yaml", "html", "makefile", "mermaid", "math"}


class Block(NamedTuple):
    language: str
    line: int  # of the opening fence, from 1
    lines: list[str]
    excuse: str | None  # why it is not run


def blocks(text):
    """The fenced blocks of a page. A comment `<!-- not run: reason -->` right above one excuses it."""
    lines = text.splitlines()
    start = None
    for number, line in enumerate(lines, 1):
        if not line.lstrip().startswith("```"):
            continue
        assert line.startswith("```"), f"line {number}: a block must start at the margin, or it would not be run"
        if start is None:
            start = number
            continue
        assert line.strip() == "```", f"line {number}: the block of line {start} must end before the next begins"
        above = lines[start - 2].strip() if start > 1 else ""
        excuse = re.fullmatch(r"<!-- not run: (.*\S) -->", above)
        language = lines[start - 1][3:].strip()
        yield Block(language, start, lines[start : number - 1], excuse[1] if excuse else None)
        start = None
    assert start is None, f"the block of line {start} never ends"


def commands(lines):
    """(line of the block, command) for each `$ ...`, with the lines that a backslash continues."""
    commands = []
    goes_on = False
    for number, line in enumerate(lines, 1):
        if goes_on:
            commands[-1][1] += "\n" + line
        elif line.startswith("$ "):
            commands.append([number, line[2:]])
        goes_on = (goes_on or line.startswith("$ ")) and line.endswith("\\")
    return [(number, command) for number, command in commands]


def read(page):
    """The text of a page; of a notebook, its cells, those of code as blocks."""
    text = page.read_text("utf-8")
    if page.suffix != ".ipynb":
        return text
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(text)["cells"]]
    return "\n".join(f"```python\n{source}\n```" if kind == "code" else source for kind, source in cells)


def script(text):
    """A page as one program: its examples on the lines where they stand, so that a traceback leads to the page."""
    program = [""] * (len(text.splitlines()) + 1)
    for block in blocks(text):
        assert block.language in RUN | SHOWN, f"line {block.line}: a block must be {sorted(RUN | SHOWN)}"
        if block.excuse or block.language in SHOWN:
            continue
        if block.language == "python":
            program[block.line : block.line + len(block.lines)] = block.lines
        else:
            for number, command in commands(block.lines):
                program[block.line + number - 1] = f"__shell__({command!r})"
    return "\n".join(program)


RUNNER = """
import shlex, subprocess, sys

def __shell__(command):
    print("$", command, flush=True)
    words = shlex.split(command, comments=True)
    if words[0] == "synthloom" and not set("|&;<>$`*") & set(command):  # nothing for a shell to do: spare a process
        from synthloom.cli import main
        if code := main(words[1:]):
            sys.exit(code)
    else:
        subprocess.run(["bash", "-euo", "pipefail", "-c", command], check=True, stdin=subprocess.DEVNULL)

page, program = sys.argv[1:]
exec(compile(program, page, "exec"), {"__name__": "__main__", "__shell__": __shell__})
"""


def run(page, folder):
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        [sys.executable, "-c", RUNNER, page.name, script(read(page))],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("page", [*GUIDES, *NOTEBOOKS], ids=lambda page: str(page.relative_to(ROOT)))
def test_examples_run(page, tmp_path):
    done = run(page, tmp_path)
    assert done.returncode == 0, f"{page.relative_to(ROOT)} does not hold\n{done.stdout[-3_000:]}{done.stderr[-5_000:]}"
    for block in blocks(read(page)):
        if block.excuse:
            warnings.warn(f"{page.relative_to(ROOT)}:{block.line} was not run: {block.excuse}", stacklevel=1)


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_are_ours_or_excused(page):
    foreign = {
        block.line: command
        for block in blocks(page.read_text("utf-8"))
        if block.language == "console" and not block.excuse
        for _, command in [*commands(block.lines), *([(0, "no `$ ` in it")] if not commands(block.lines) else [])]
        if not command.startswith("synthloom ")
    }
    assert foreign == {}, "mark these blocks <!-- not run: reason -->, or make them `$ synthloom ...`"


def test_every_excuse_stands_right_above_a_block():
    for page in GUIDES:
        text = page.read_text("utf-8")
        assert text.count("<!-- not run") == sum(block.excuse is not None for block in blocks(text)), page


PAGE = """
```python
x = 1
```
<!-- not run: it would fail -->
```python
x = 1 / 0
```
```console
$ python -c "import pathlib; \\
pathlib.Path('made').write_text('by the shell')"
what it printed
```
```python
assert x == 1 and open("made").read() == "by the shell"
{last}
```
"""


def test_a_page_is_run_in_order_and_a_failure_leads_to_its_line(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE.format(last=""), "utf-8")
    done = run(page, tmp_path)
    assert done.returncode == 0, done.stderr
    page.write_text(PAGE.format(last="undefined"), "utf-8")
    done = run(page, tmp_path)
    assert done.returncode == 1
    assert f'"page.md", line {PAGE[: PAGE.index("{last}")].count(chr(10)) + 1}' in done.stderr


@pytest.mark.parametrize(
    "bad", ["  ```python\n  x\n  ```", "```python\nx", "```python\n```python\n```", "```sh\nls\n```"]
)
def test_a_block_that_would_be_missed_is_refused(bad):
    with pytest.raises(AssertionError, match="line"):
        script(bad)


# -- links ---------------------------------------------------------------------------------------


def without_blocks(text):
    lines = text.splitlines()
    for block in blocks(text):
        for number in range(block.line - 1, block.line + len(block.lines) + 1):
            lines[number] = ""
    return "\n".join(lines)


def anchors(page):
    """What a `#link` may name: the headings, as they are written in an address, and explicit ids."""
    text = without_blocks(page.read_text("utf-8"))
    found = set(re.findall(r'<a (?:id|name)="([^"]+)"', text))
    for heading in re.findall(r"^#+ +(.+?) *#*$", text, re.M):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found.add(slug if slug not in found else f"{slug}-1")
    return found


def broken_links(page):
    text = re.sub(r"`[^`\n]*`", "", without_blocks(page.read_text("utf-8")))
    links = re.findall(r"\]\(<?([^)\s>]+)>?(?: +\"[^\"]*\")?\)", text)
    links += re.findall(r"^\[[^]]+\]: *(\S+)", text, re.M) + re.findall(r'(?:src|srcset|href)="([^"]+)"', text)
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue  # elsewhere: needs a network
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    assert list(broken_links(page)) == []


def test_a_broken_link_is_noticed(tmp_path):
    page, other = tmp_path / "page.md", tmp_path / "other.md"
    other.write_text("# What it's `for`, and why\n", "utf-8")
    page.write_text(
        "[a](other.md) [b](other.md#what-its-for-and-why) [c](#here) [d](https://example.org/x) `[e](nothing.md)`\n"
        "# Here\n[f](nowhere.md) [g](other.md#nothing) ![h](picture.png) [i](#there)\n",
        "utf-8",
    )
    assert list(broken_links(page)) == ["nowhere.md", "other.md#nothing", "picture.png", "#there"]


# -- the command line ----------------------------------------------------------------------------


def synthloom(*arguments):
    command = [sys.executable, "-m", "synthloom", *arguments]
    environment = os.environ | {"COLUMNS": "120", "NO_COLOR": "1", "TERM": "dumb"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_every_verb_has_help():
    from synthloom.cli import VERBS

    assert VERBS
    told = {verb: synthloom(verb, "--help") for verb in VERBS}
    assert {verb: done.stderr for verb, done in told.items() if done.returncode} == {}
    assert [verb for verb, done in told.items() if f"synthloom {verb}" not in done.stdout] == []
    overview = synthloom("--help")
    assert overview.returncode == 0
    assert [verb for verb in VERBS if not re.search(rf"\b{verb}\b", overview.stdout)] == []


def test_every_verb_is_in_the_documents():
    from synthloom.cli import VERBS

    said = "\n".join(page.read_text("utf-8") for page in GUIDES)
    assert [verb for verb in VERBS if not re.search(rf"\bsynthloom {verb}\b", said)] == []


def test_the_documents_know_no_other_verb():
    from synthloom.cli import VERBS

    named = {
        verb
        for page in GUIDES
        for block in blocks(page.read_text("utf-8"))
        if block.language == "console"
        for _, command in commands(block.lines)
        for verb in re.findall(r"^synthloom +([a-z]+)", command)
    }
    assert named <= set(VERBS)
