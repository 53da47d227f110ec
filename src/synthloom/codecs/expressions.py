"""A small language for conditions on columns: comparisons, arithmetic, `and`, `or`, `not`, `in`. It runs nothing else.

Written like Python, with columns by name; a name that is no plain word stands in backticks: "`hours-per-week` <= 80".
What a model file says is data, so no expression can call or reach anything: each kind of node is handled here by name,
and any other is refused.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd

from synthloom.errors import UsageError
from synthloom.schema import Name

__all__ = ["Expression"]

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_RECKON: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


class Expression:
    """A condition in words.

    >>> late = Expression("start < end and hours in [1, 2]", ["start", "end", "hours"])
    >>> late.columns
    ['start', 'end', 'hours']
    >>> late.holds(pd.DataFrame({"start": [1, 3], "end": [2, 2], "hours": [1, 1]})).tolist()
    [True, False]
    """

    def __init__(self, text: str, names: Iterable[Name]) -> None:
        self.text = text
        self._quoted: dict[str, str] = {}
        self._known = {str(name): name for name in names}
        try:
            self.tree = ast.parse(re.sub(r"`([^`]+)`", self._as_word, text.strip()), mode="eval").body
        except SyntaxError as error:
            raise UsageError(
                f"a rule must be a condition such as 'age >= 18', however: {text!r}: {error.msg}"
            ) from None
        self.columns = list(
            dict.fromkeys(self.name(node) for node in ast.walk(self.tree) if isinstance(node, ast.Name))
        )

    def name(self, node: ast.Name) -> Name:
        """The column that a word stands for."""
        word = self._quoted.get(node.id, node.id)
        if word not in self._known:
            raise UsageError(
                f"a rule must name columns of the table, however: there is no {word!r} in {self.text!r}; text "
                f"stands in quotes, and names of more than one word in backticks"
            )
        return self._known[word]

    def holds(self, values: Mapping[Name, pd.Series]) -> pd.Series:
        """Whether it holds, row by row; where a column that it names has a gap it says nothing, and so holds."""
        true = self._value(self.tree, values)
        if not isinstance(true, pd.Series) or not pd.api.types.is_bool_dtype(true.dtype):
            raise UsageError(f"a rule must be true or false of each row, however: {self.text!r} is neither")
        gaps = [values[name].isna() for name in self.columns]
        return true.fillna(False).astype(bool) | pd.concat(gaps, axis=1).any(axis=1)

    def comparisons(self) -> list[tuple[ast.expr, ast.cmpop, ast.expr]]:
        """The comparisons that all must be true, each with two sides: those that stand alone or are joined by `and`."""
        found = []
        for part in self._joined(self.tree):
            if isinstance(part, ast.Compare):
                sides = [part.left, *part.comparators]
                found += list(zip(sides, part.ops, sides[1:], strict=False))
        return found

    def constant(self, node: ast.expr) -> Any:
        """What a node says without looking at any column; None if it does look."""
        try:
            return ast.literal_eval(node)
        except ValueError:
            return None

    def _joined(self, node: ast.expr) -> list[ast.expr]:
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
            return [part for value in node.values for part in self._joined(value)]
        return [node]

    def _as_word(self, match: re.Match[str]) -> str:
        word = f"_quoted_{len(self._quoted)}"
        self._quoted[word] = match[1]
        return word

    def _value(self, node: ast.expr, values: Mapping[Name, pd.Series]) -> Any:
        match node:
            case ast.Name():
                return values[self.name(node)]
            case ast.Constant(value=value) if isinstance(value, (str, int, float, bool)):
                return value
            case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
                return [self._value(part, values) for part in parts]
            case ast.BoolOp(op=op, values=parts):
                truths = [self._value(part, values) for part in parts]
                both = operator.and_ if isinstance(op, ast.And) else operator.or_
                total = truths[0]
                for truth in truths[1:]:
                    total = both(total, truth)
                return total
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return ~self._value(operand, values)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self._value(operand, values)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _RECKON:
                return _RECKON[type(op)](self._value(left, values), self._value(right, values))
            case ast.Compare(left=first, ops=ops, comparators=others):
                sides = [self._value(side, values) for side in (first, *others)]
                truths = [_compare(op, *pair) for op, *pair in zip(ops, sides, sides[1:], strict=False)]
                return truths[0] if len(truths) == 1 else pd.concat(truths, axis=1).all(axis=1)
        raise UsageError(
            f"a rule may compare, reckon, and join with and, or, not, in, however: {ast.unparse(node)!r} in "
            f"{self.text!r}"
        )


def _compare(op: ast.cmpop, left: Any, right: Any) -> Any:
    if isinstance(op, (ast.In, ast.NotIn)) and isinstance(left, pd.Series):
        inside = left.isin(right if isinstance(right, list) else [right])
        return inside if isinstance(op, ast.In) else ~inside
    if type(op) not in _COMPARE:
        raise UsageError("a rule may ask whether a column is in a list, or compare with <, <=, >, >=, == and !=")
    return _COMPARE[type(op)](left, right)
