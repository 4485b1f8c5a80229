"""Reading SQL: what one statement is, checked against a list of what may stand in it, and written out again.

What is sent is always written out from the tree that was checked, never the text that was read: a second reader, the
database, cannot find a comment, a quote or a second statement where this one found none.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, cast

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from connectors.sql.addresses import Engine
from connectors.sql.binding import Kind, Text


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_KINDS: Final[dict[type[exp.Expr], Kind]] = {
    exp.Select: "select",
    exp.Insert: "insert",
    exp.Update: "update",
    exp.Delete: "delete",
}
_PARTS: Final = _names(
    "Select Subquery From Join Where Group Having Order Ordered Limit Offset Distinct Column "
    "Identifier Table TableAlias Alias Star Literal Placeholder Boolean Null Paren Tuple Schema Values "
    "Insert Update Delete Returning CTE With Union Case If Cast DataType DataTypeParam Interval "
    "Var Window WindowSpec Between In Exists Not Neg And Or EQ NEQ GT "
    "GTE LT LTE Is Like ILike Add Sub Mul Div Mod DPipe NullSafeEQ "
    "NullSafeNEQ Lock Escape Filter"
)
_FUNCTIONS: Final = _names(
    "Count Sum Avg Min Max Abs Round Ceil Floor Lower "
    "Upper Trim Length Substring Coalesce Nullif Concat ConcatWs Greatest Least "
    "CurrentDate CurrentTimestamp CurrentTime Extract TimestampTrunc DateTrunc GroupConcat Strftime RowNumber Rank "
    "DenseRank StrPosition Left Right Replace Cast Case If And Or"
)
"""Functions of which both engines' manuals say that they do nothing but return a value."""
CLOCKS: Final = (exp.CurrentDate, exp.CurrentTimestamp, exp.CurrentTime)


class BadStatement(ValueError):
    """A statement cannot be a tool; the message says why."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One checked statement."""

    tree: exp.Expr
    engine: Engine

    @property
    def kind(self) -> Kind:
        """Return what it does."""
        return _KINDS[type(self.tree)]

    @property
    def tables(self) -> tuple[str, ...]:
        """Return the tables it names, the one it writes first; names of its own subqueries left out."""
        own = {cte.alias for cte in self.tree.find_all(exp.CTE)}
        names = [table.name for table in self.tree.find_all(exp.Table) if table.name not in own]
        target = self.target
        return tuple(dict.fromkeys([*([target] if target else []), *sorted(names)]))

    @property
    def target(self) -> str | None:
        """Return the table it writes."""
        if self.kind == "select":
            return None
        table = self.tree.find(exp.Table)
        assert table is not None  # noqa: S101  # the grammar of every write has one
        return table.name

    @property
    def parameters(self) -> tuple[str, ...]:
        """Return its parameters, each once, in the order in which they first appear."""
        return tuple(dict.fromkeys(one.name for one in self.tree.find_all(exp.Placeholder, bfs=False)))

    @property
    def assigned(self) -> dict[str, exp.Expr]:
        """Return the columns that it sets, with what it sets them to."""
        if isinstance(self.tree, exp.Update):
            pairs = cast("list[exp.Expr]", self.tree.expressions)
            return {pair.this.name: cast("exp.Expr", pair.expression) for pair in pairs}
        if isinstance(self.tree, exp.Insert) and isinstance(self.tree.this, exp.Schema):
            names = [one.name for one in self.tree.this.expressions]
            return dict(zip(names, self.tree.expression.expressions[0].expressions, strict=True))
        return {}

    @property
    def concerned(self) -> "Statement":
        """Return the SELECT of the rows that an UPDATE or DELETE would change, in full."""
        table, where = self.tree.find(exp.Table), self.tree.args["where"]
        assert table is not None  # noqa: S101  # the grammar of every write has one
        return Statement(exp.select("*").from_(table.copy()).where(where.this.copy()), self.engine)

    @property
    def text(self) -> Text:
        """Return the statement as it is sent."""
        tree = self.tree.copy()
        names = self.parameters
        if self.engine == "postgresql":
            for one in list(tree.find_all(exp.Placeholder)):
                one.replace(exp.Parameter(this=exp.Literal.number(names.index(one.name) + 1)))
        return Text(sql=tree.sql(dialect=_dialect(self.engine), comments=False), parameters=names)


def statement(sql: str, engine: Engine, *, functions: tuple[str, ...] = ()) -> Statement:
    """Return the one statement in `sql`; `functions` are allowed beside the usual ones.

    Raises:
        BadStatement: it is none, more than one, of another kind, or holds what may not stand in a tool.
    """
    found = Statement(_parsed(sql, engine), engine)
    problems = [*_problems(found, {name.lower() for name in functions})]
    if problems:
        raise BadStatement("; ".join(dict.fromkeys(problems)))
    return found


def quoted(name: str) -> str:
    """Return `name` as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def _parsed(sql: str, engine: Engine) -> exp.Expr:
    logger = logging.getLogger("sqlglot")
    was, logger.disabled = logger.disabled, True  # what it warns of is refused below, in words of our own
    try:
        trees = [tree for tree in sqlglot.parse(sql, dialect=_dialect(engine)) if tree is not None]
    except (SqlglotError, RecursionError) as error:
        raise BadStatement("it cannot be read as SQL of this engine") from error
    finally:
        logger.disabled = was
    if len(trees) != 1:
        raise BadStatement("write exactly one statement, without anything behind it")
    if type(trees[0]) not in _KINDS:
        raise BadStatement("only SELECT, INSERT, UPDATE and DELETE can be tools")
    return trees[0]


def _dialect(engine: Engine) -> str:
    return "postgres" if engine == "postgresql" else "sqlite"


def _problems(found: Statement, functions: set[str]) -> Iterator[str]:
    for part in found.tree.walk():
        yield from _problems_of_part(part, found.tree, functions)
    if found.kind != "select":
        yield from _problems_of_write(found)


def _problems_of_part(part: exp.Expr, root: exp.Expr, functions: set[str]) -> Iterator[str]:
    name = type(part).__name__
    if isinstance(part, exp.Placeholder) and not part.name.isidentifier():
        yield "write parameters as :name"
    elif isinstance(part, exp.Insert | exp.Update | exp.Delete) and part is not root:
        yield f"it hides a {name.upper()} in another statement"
    elif isinstance(part, exp.Table):
        yield from _problems_of_table(part)
    elif isinstance(part, exp.Func) and name not in _FUNCTIONS:
        called = (part.name if isinstance(part, exp.Anonymous) else part.sql_name()).lower()
        if called not in functions:
            yield f"it calls {called}(), which is not known to be harmless; the manifest may name it under functions"
    elif not isinstance(part, exp.Func) and name not in _PARTS:
        yield f"{name.upper()} may not stand in a tool"
    if isinstance(part, exp.Select) and (part.args.get("into") or part.args.get("locks")):
        yield "a SELECT neither makes a table (INTO) nor locks rows (FOR UPDATE)"


def _problems_of_table(table: exp.Table) -> Iterator[str]:
    if not isinstance(table.this, exp.Identifier):
        yield "it reads from a function instead of a table"
    if table.args.get("db") or table.args.get("catalog"):
        yield "write tables without a schema; the manifest names the one schema there is"
    if table.name.lower().startswith(("pg_", "sqlite_", "pragma_", "information_schema")):
        yield f"{table.name} belongs to the database itself"


def _problems_of_write(found: Statement) -> Iterator[str]:
    tree = found.tree
    if any(
        tree.args.get(what) for what in ("with_", "with", "from_", "from", "using", "returning", "conflict", "limit")
    ):
        yield "a write names one table: no WITH, FROM, USING, RETURNING, ON CONFLICT or LIMIT"
    if any(tree.args.get(what) for what in ("overwrite", "alternative", "default", "is_function", "tables", "order")):
        yield "a write is a plain INSERT, UPDATE or DELETE"
    if found.kind == "insert":
        values = tree.args.get("expression")
        if not isinstance(tree.this, exp.Schema) or not isinstance(values, exp.Values) or len(values.expressions) != 1:
            yield "an INSERT names its columns and gives the VALUES of one row"
        elif len(tree.this.expressions) != len(values.expressions[0].expressions):
            yield "an INSERT gives one value per column"
    elif tree.args.get("where") is None:
        yield f"{found.kind.upper()} without WHERE would change every row; say which"
