"""Rules that every row keeps: what the user knows of a table, and a model should not have to guess.

    "admitted <= discharged"        a comparison of columns, or of columns and values; also `0 <= share <= 1`
    "ward in ['surgery', 'icu']"    any condition in words, see `expressions`
    "fixed(country, city)"          only combinations that training had, in rows enough to be given out
    "one_hot(red, green, blue)"     exactly one of them is 1 or True
    "unique(country, code)"         no two rows agree in all of these
    any function of a data frame    that says which rows are good; it cannot be saved

A rule is a limit on what a column may say, given what is written of the row, wherever it can be: no row is lost for it
then. The rest is looked at when the row is finished, and what breaks it is drawn again.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import torch

from synthloom.codecs.conditions import Demand
from synthloom.codecs.expressions import Expression
from synthloom.codecs.table import TableCodec
from synthloom.errors import DataError, UsageError
from synthloom.schema import Name
from synthloom.spec import WIDE, Limit, TableBatch

__all__ = ["Rule", "RuleText", "Rules"]

RuleText: TypeAlias = str | Callable[[pd.DataFrame], Any]
"""What the user gives: a rule in words, or a function of a data frame."""


class Rule:
    """One rule, over columns that the codec has learnt."""

    def __init__(self, codec: TableCodec, text: str, columns: list[Name]) -> None:
        self.codec, self.text, self.columns = codec, text, columns

    def learn(self, df: pd.DataFrame) -> None:
        """Take from the training rows whatever the rule refers to."""

    def holds(self, frame: pd.DataFrame) -> np.ndarray:
        """Which rows keep it."""
        raise NotImplementedError

    def limit(self, name: Name, written: TableBatch) -> Limit | None:
        """What a column may say where so much of the rows is written."""
        return None

    def kept(self, frame: pd.DataFrame) -> None:
        """These rows will be given out."""

    def state(self) -> dict[str, Any]:
        """What was learnt, beside the words."""
        return {}

    def load(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state`."""


class Condition(Rule):
    """A condition in words. Comparisons that must all be true are limits, also between two columns."""

    def __init__(self, codec: TableCodec, text: str) -> None:
        self.expression = Expression(text, codec.schema_.names)
        super().__init__(codec, text, self.expression.columns)
        self.fixed: dict[Name, Limit] = {}
        self.bounds: list[tuple[Name, str, Name]] = []  # (smaller, "<" or "<=", larger)
        for left, op, right in self.expression.comparisons():
            self._read(left, op, right)

    def holds(self, frame: pd.DataFrame) -> np.ndarray:
        return np.asarray(self.expression.holds(self.codec.measured(frame, self.columns)), bool)

    def limit(self, name: Name, written: TableBatch) -> Limit | None:
        limit = self.fixed.get(name)
        for smaller, op, larger in self.bounds:
            if name not in (smaller, larger):
                continue
            other = self.codec.written(larger if name == smaller else smaller, written)
            if other.notna().any():
                none = pd.Series(pd.NaT if other.dtype.kind in "mM" else np.nan, other.index, name=name)
                ends = (none, other.rename(name)) if name == smaller else (other.rename(name), none)
                bound = self.codec.column(name).between(*ends, beyond=op == "<")
                limit = bound if limit is None else limit & bound
        return limit

    def _read(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> None:
        """One comparison as a limit, where it is one."""
        constant = self.expression.constant
        if isinstance(op, (ast.Gt, ast.GtE)):
            left, op, right = right, ast.Lt() if isinstance(op, ast.Gt) else ast.LtE(), left
        sides = [self.expression.name(side) if isinstance(side, ast.Name) else None for side in (left, right)]
        beyond = isinstance(op, ast.Lt)
        try:
            if isinstance(op, (ast.Lt, ast.LtE)) and None not in sides:
                kinds = [self.codec.schema_[side].type for side in sides]
                probe = pd.Series([], dtype=float, name=sides[0])
                self.codec.column(sides[0]).between(probe, probe)
                if kinds[0] == kinds[1] and kinds[0] in ("number", "datetime", "duration"):
                    self.bounds.append((sides[0], "<" if beyond else "<=", sides[1]))
            elif isinstance(op, (ast.Lt, ast.LtE)) and sides[0] is not None:
                self._fix(sides[0], None, constant(right), beyond)
            elif isinstance(op, (ast.Lt, ast.LtE)) and sides[1] is not None:
                self._fix(sides[1], constant(left), None, beyond)
            elif isinstance(op, (ast.Eq, ast.In)) and sides[0] is not None and constant(right) is not None:
                value = constant(right)
                values = list(value) if isinstance(value, (list, tuple, set)) else [value]
                self._add(sides[0], self.codec.column(sides[0]).among(pd.Series(values, name=sides[0], dtype=object)))
        except DataError:  # a comparison of other things than a column orders: looked at afterwards
            return

    def _fix(self, name: Name, low: Any, high: Any, beyond: bool) -> None:
        if low is None and high is None:
            return
        ends = (pd.Series([end], name=name, dtype=object) for end in (low, high))
        self._add(name, self.codec.column(name).between(*ends, beyond=beyond))

    def _add(self, name: Name, limit: Limit) -> None:
        self.fixed[name] = self.fixed[name] & limit if name in self.fixed else limit


class Fixed(Rule):
    """Only combinations of values that training had. A gap is a value like any other."""

    choice_MJ: np.ndarray
    value_MJ: np.ndarray

    def __init__(self, codec: TableCodec, text: str, columns: list[Name]) -> None:
        for name in columns:
            codec.assert_can_be_given(name)
        super().__init__(codec, text, [name for name in columns if codec.place(name) is not None])
        self.places = [k for name in columns if (k := codec.place(name)) is not None]

    def learn(self, df: pd.DataFrame) -> None:
        batch = self.codec.encode(df[self.columns], spread=False, partial=True, gaps=True)
        known = batch.known_BC[:, self.places].all(1)
        choice, value = (part[:, self.places][known].numpy() for part in (batch.choice_BC, batch.value_BC))
        keys = np.stack([self.codec.keys(*cells) for cells in zip(self.columns, choice.T, value.T, strict=True)], 1)
        _, first, count = np.unique(keys, axis=0, return_index=True, return_counts=True)
        first = first[count >= self.codec.options.fewest]
        if not len(first):
            raise DataError(
                f"some combination of {self.text} must be held by {self.codec.options.fewest} rows to be given out, "
                f"however: none is; leave the rule out, or set protect=False"
            )
        self.load({"choice": choice[first], "value": value[first]})

    def holds(self, frame: pd.DataFrame) -> np.ndarray:
        batch = self.codec.encode(frame[self.columns], spread=False, partial=True, gaps=True)
        code_BJ = np.stack([self._code(j, batch) for j in range(len(self.columns))], 1)
        return np.array([tuple(row) in self.known for row in code_BJ.tolist()], bool)

    def limit(self, name: Name, written: TableBatch) -> Limit | None:
        if name not in self.columns:
            return None
        j = self.columns.index(name)
        code_BJ = np.stack([self._code(i, written) for i in range(len(self.columns))], 1)
        code_BJ[:, j] = _OPEN
        groups, group_B = np.unique(code_BJ, axis=0, return_inverse=True)
        allowed = []
        for group in groups:
            fits_M = ((self.code_MJ == group) | (group == _OPEN)).all(1)
            allowed.append(self.of_value[j].take(torch.from_numpy(np.unique(self.code_MJ[fits_M, j]))).merged())
        return Limit.stack(allowed).take(torch.from_numpy(group_B.reshape(-1)))

    def state(self) -> dict[str, Any]:
        return {"choice": self.choice_MJ, "value": self.value_MJ}

    def load(self, state: Mapping[str, Any]) -> None:
        self.choice_MJ, self.value_MJ = state["choice"], state["value"]
        self.keys: list[np.ndarray] = []
        self.of_value: list[Limit] = []
        codes = []
        for j, name in enumerate(self.columns):
            key_M = self.codec.keys(name, self.choice_MJ[:, j], self.value_MJ[:, j])
            keys, first, code = np.unique(key_M, return_index=True, return_inverse=True)
            self.keys.append(keys)
            codes.append(code.reshape(-1))
            self.of_value.append(self.codec.exactly(name, self.choice_MJ[first, j], self.value_MJ[first, j]))
        self.code_MJ = np.stack(codes, 1)
        self.known = set(map(tuple, self.code_MJ.tolist()))

    def _code(self, j: int, batch: TableBatch) -> np.ndarray:
        """Which of the values of combinations a column has in each row; where it is not known, it is open."""
        k = self.places[j]
        key_B = self.codec.keys(
            self.columns[j], batch.choice_BC[:, k].cpu().numpy(), batch.value_BC[:, k].cpu().numpy()
        )
        place = np.minimum(np.searchsorted(self.keys[j], key_B), len(self.keys[j]) - 1)
        code = np.where(self.keys[j][place] == key_B, place, _STRANGE)
        return np.where(batch.known_BC[:, k].cpu().numpy(), code, _OPEN)


_OPEN, _STRANGE = -1, -2


class OneHot(Rule):
    """Exactly one of some columns of 0 and 1, or False and True. Where one of them is missing it says nothing."""

    def __init__(self, codec: TableCodec, text: str, columns: list[Name]) -> None:
        super().__init__(codec, text, columns)
        # what each may say: only 0, only 1, or either
        self.of_state = {
            name: Limit.stack([self._among(name, values) for values in ([0], [1], [0, 1])]) for name in columns
        }

    def holds(self, frame: pd.DataFrame) -> np.ndarray:
        cells = self.codec.measured(frame, self.columns).values()
        cells_BJ = np.stack([own.to_numpy(np.float64, na_value=np.nan) for own in cells], 1)
        good_B = (cells_BJ.sum(1) == 1) & ((cells_BJ == 0) | (cells_BJ == 1)).all(1)
        return np.asarray(good_B | np.isnan(cells_BJ).any(1))

    def limit(self, name: Name, written: TableBatch) -> Limit | None:
        if name not in self.columns:
            return None
        others = [self.codec.written(other, written) for other in self.columns if other != name]
        cells_JB = np.stack([cells.to_numpy(np.float64, na_value=np.nan) for cells in others])
        taken, last = (cells_JB == 1).any(0), ~np.isnan(cells_JB).any(0)
        return self.of_state[name].take(torch.from_numpy(np.where(taken, 0, np.where(last, 1, 2))))

    def _among(self, name: Name, values: list[int]) -> Limit:
        said = [bool(value) for value in values] if self.codec.schema_[name].type == "boolean" else values
        try:
            return self.codec.column(name).among(pd.Series(said, name=name, dtype=object))
        except DataError:
            raise DataError(
                f"columns of {self.text} must hold 0 and 1, or False and True, however: {name!r} does not"
            ) from None


class Unique(Rule):
    """No two rows of a sample agree in all of some columns; a row with a gap in them agrees with none."""

    def __init__(self, codec: TableCodec, text: str, columns: list[Name]) -> None:
        super().__init__(codec, text, columns)
        made_up = [codec.schema_[name] for name in columns if codec.schema_[name].type == "identifier"]
        self.always = any(field.facts["unique"] for field in made_up)
        if made_up and not self.always:
            raise UsageError(
                f"identifiers are made anew, so {made_up[0].name!r} of {text} must be called unique if it is, in the "
                f'schema: {{"{made_up[0].name}": {{"type": "identifier", "unique": True}}}}'
            )
        self.seen: set[Any] = set()

    def holds(self, frame: pd.DataFrame) -> np.ndarray:
        if self.always:
            return np.ones(len(frame), bool)
        gaps = frame[self.columns].isna().any(axis=1).to_numpy(bool)
        fresh = ~frame.duplicated(self.columns).to_numpy(bool)
        return np.asarray(gaps | fresh & np.array([key not in self.seen for key in self._keys(frame)], bool))

    def kept(self, frame: pd.DataFrame) -> None:
        if not self.always:
            self.seen.update(self._keys(frame))

    def begin(self) -> None:
        self.seen = set()

    def _keys(self, frame: pd.DataFrame) -> list[Any]:
        return list(zip(*(frame[name].tolist() for name in self.columns), strict=True))


class Predicate(Rule):
    """A function of a data frame that says which rows are good."""

    def __init__(self, codec: TableCodec, function: Callable[[pd.DataFrame], Any]) -> None:
        super().__init__(codec, getattr(function, "__name__", "a function"), [])
        self.function = function

    def holds(self, frame: pd.DataFrame) -> np.ndarray:
        good = np.asarray(self.function(frame))
        if good.shape != (len(frame),) or good.dtype != bool:
            raise UsageError(f"rule {self.text} must return True or False for each row, however: it gave {good.dtype}")
        return good


_CALLS: dict[str, type[Any]] = {"fixed": Fixed, "one_hot": OneHot, "unique": Unique}


def read_rule(codec: TableCodec, said: RuleText) -> Rule:
    """A rule from what the user wrote."""
    if not isinstance(said, str):
        return Predicate(codec, said)
    name, _, rest = said.strip().partition("(")
    if name.strip() not in _CALLS:
        return Condition(codec, said)
    columns = Expression(f"[{rest.rstrip().removesuffix(')')}]", codec.schema_.names).columns
    if not columns:
        raise UsageError(f"{name.strip()} must name columns, however: {said!r}")
    return _CALLS[name.strip()](codec, said, columns)  # type: ignore[no-any-return]


class Rules(Demand):
    """All rules of a table."""

    def __init__(self, codec: TableCodec, said: Sequence[RuleText]) -> None:
        self.codec = codec
        self.rules = [read_rule(codec, rule) for rule in said]
        self.broken: Counter[str] = Counter()
        # at most one row of limits may be given to a column of very many choices: more are looked at afterwards
        self.narrow = [block.choices <= WIDE for block in codec.spec.blocks]

    def __bool__(self) -> bool:
        return bool(self.rules)

    def learn(self, df: pd.DataFrame) -> list[str]:
        """Take from the training rows what rules refer to, and say which rules they break."""
        notes = []
        for rule in self.rules:
            rule.learn(df)
            wrong = 0 if isinstance(rule, Fixed) else int((~rule.holds(df)).sum())
            if 2 * wrong > len(df):
                raise DataError(
                    f"a rule must hold in most of the training rows, however: {rule.text!r} is broken by {wrong:,} of "
                    f"{len(df):,}"
                )
            if wrong:
                notes.append(f"rule {rule.text!r} is broken by {wrong:,} of {len(df):,} training rows")
        return notes

    def trust(self) -> list[str]:
        """Take the rules as they are said: under differential privacy none may look at the training rows."""
        for rule in self.rules:
            if isinstance(rule, Fixed):
                raise UsageError(
                    f"with epsilon no rule may refer to what training rows hold, however: {rule.text!r} does; "
                    f"leave it out"
                )
        return []

    def of_single_rows(self) -> Rules:
        """Those that ask nothing of how rows differ."""
        single = copy(self)
        single.rules = [rule for rule in self.rules if not isinstance(rule, Unique)]
        return single

    def assert_apart(self) -> None:
        """Refuse rows that are drawn apart from others, where rows must differ from each other."""
        for rule in self.rules:
            if isinstance(rule, Unique) and not rule.always:
                raise UsageError(
                    f"parts must be such as can be made apart from each other, however: {rule.text!r} compares all "
                    f"rows; write one file with one process, or leave the rule out"
                )

    def assert_kept(self, given: pd.DataFrame) -> None:
        """Refuse rows that break a rule by what is given of them: no draw could mend that."""
        for rule in self.of_single_rows().rules:
            if not rule.columns or not set(rule.columns) <= set(given.columns):
                continue
            whole = given.loc[given[rule.columns].notna().all(axis=1).to_numpy(bool)]
            wrong = whole.index[~rule.holds(whole)]
            if len(wrong):
                raise DataError(
                    f"rows that are given must keep the rules, however: {len(wrong):,} break {rule.text!r}, row "
                    f"{wrong[0]!r} the first; mend them, or leave them out"
                )

    def begin(self) -> None:
        """A new sample: nothing has been given out yet."""
        for rule in self.rules:
            if isinstance(rule, Unique):
                rule.begin()

    def __call__(self, c: int, written: TableBatch) -> Limit | None:
        name = self.codec.name_at(c)
        limit: Limit | None = None
        for rule in self.rules:
            own = rule.limit(name, written)
            if own is not None and (self.narrow[c] or len(own) == 1):
                own = self.codec.with_gaps(c, own)
                limit = own if limit is None else limit & own
        return limit

    def holds(self, frame: pd.DataFrame) -> np.ndarray:
        good = np.ones(len(frame), bool)
        for rule in self.rules:
            own = rule.holds(frame)
            self.broken[rule.text] += int((~own).sum())
            good &= own
        return good

    def kept(self, frame: pd.DataFrame) -> None:
        for rule in self.rules:
            rule.kept(frame)

    def worst(self) -> str:
        return f"rule {self.broken.most_common(1)[0][0]!r} is broken most often" if self.broken else ""

    def state(self) -> list[dict[str, Any]]:
        """The rules as plain data and arrays."""
        for rule in self.rules:
            if isinstance(rule, Predicate):
                raise UsageError(
                    f"rules must be words to be saved, however: {rule.text} is a function; say it in words, or use the "
                    f"model without saving it"
                )
        return [{"text": rule.text, **rule.state()} for rule in self.rules]

    @classmethod
    def load(cls, codec: TableCodec, state: Sequence[Mapping[str, Any]]) -> Rules:
        """The inverse of `state`."""
        rules = cls(codec, [rule["text"] for rule in state])
        for rule, stored in zip(rules.rules, state, strict=True):
            if len(stored) > 1:
                rule.load(stored)
        return rules
