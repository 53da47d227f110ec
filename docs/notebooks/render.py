"""Run notebooks and keep what their cells show, without Jupyter.

    python docs/notebooks/render.py docs/notebooks/tables.ipynb ...

Code cells run in order in one namespace. Kept are what is printed and the value of a cell's last line: drawings as
pictures, frames as tables, anything else as it is written.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any


def shown(value: Any) -> dict[str, Any]:
    """A value as the kinds of data that a notebook can show."""
    html = str(value.__html__()) if hasattr(value, "__html__") else ""
    if html.startswith("<svg"):
        return {"image/svg+xml": html.splitlines(keepends=True), "text/plain": ["a drawing"]}
    found = {"text/plain": repr(value).splitlines(keepends=True)}
    if hasattr(value, "to_html"):
        found["text/html"] = value.to_html(border=0).splitlines(keepends=True)
    return found


def run(cell: dict[str, Any], number: int, names: dict[str, Any]) -> None:
    """Run one cell and keep what it shows."""
    program = ast.parse("".join(cell["source"]), f"cell {number}")
    last = program.body.pop() if program.body and isinstance(program.body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        exec(compile(program, f"cell {number}", "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)
    cell["execution_count"], cell["outputs"] = number, []
    if printed.getvalue():
        text = printed.getvalue().splitlines(keepends=True)
        cell["outputs"].append({"output_type": "stream", "name": "stdout", "text": text})
    if value is not None:
        result = {"output_type": "execute_result", "execution_count": number, "metadata": {}, "data": shown(value)}
        cell["outputs"].append(result)


def main() -> None:
    for path in map(Path, sys.argv[1:]):
        notebook, names = json.loads(path.read_text("utf-8")), {"__name__": "__main__"}
        code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        for number, cell in enumerate(code, 1):
            run(cell, number, names)
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
