"""Every text of a binding, read once more before it is sent: whoever registered it need not have been our compiler."""

from typing import Final

from connectors.sql.binding import Binding, Kind, Text
from connectors.sql.statements import Statement, quoted, statement

_LOCK: Final = " FOR UPDATE"


def read_again(binding: Binding) -> Binding:
    """Return `binding`, of whose texts each does what it is for, to tables that the binding names, and no more.

    Raises:
        ValueError: one of them is something else.
    """
    written = binding.written
    if written is None:
        _check(binding, binding.statement, binding.kind)
        return binding
    returning = f" RETURNING {', '.join(map(quoted, written.key))}"
    if not binding.statement.sql.endswith(returning):
        raise ValueError("a write answers the keys of its rows and nothing else")
    write = _check(binding, _without(binding.statement, returning), binding.kind)
    if binding.kind == "select" or write.target != written.table:
        raise ValueError(f"a write writes {written.table}")
    if written.before is not None:
        _check(binding, _without(written.before, _LOCK if binding.engine == "postgresql" else ""), "select")
    for text in (written.record, written.found):
        if text is not None:
            _check(binding, text, "select")
    return binding


def _check(binding: Binding, text: Text, kind: Kind) -> Statement:
    sql = _dollars_named(text.sql) if binding.engine == "postgresql" else text.sql
    found = statement(sql, binding.engine, functions=binding.functions)
    if found.kind != kind:
        raise ValueError(f"it is no {kind} but a {found.kind}")
    if beside := {*found.tables} - {*binding.tables}:
        raise ValueError(f"it names {', '.join(sorted(beside))} too")
    return found


def _without(text: Text, end: str) -> Text:
    return text.model_copy(update={"sql": text.sql.removesuffix(end)})


def _dollars_named(sql: str) -> str:
    """Return `sql` with `:p1` for `$1`; inside a quoted text both are text, and nothing is sent from here."""
    out, rest = "", sql
    while "$" in rest:
        head, _, rest = rest.partition("$")
        out += head + (":p" if rest[:1].isdigit() else "$")
    return out + rest
