# Copyright the toolhub maintainers. Licence: GPL-3.0-or-later, see LICENSE.
"""A call that is carried out only if the parts of its document are as they were, which nobody can change meanwhile.

Tryton checks by itself only the versions of what a call writes, and a button writes the document, not its lines.
"""

from trytond import backend
from trytond.exceptions import ConcurrencyException
from trytond.model import Model
from trytond.rpc import RPC
from trytond.transaction import Transaction

from .calls import call, callable_by_rpc, rows_of


class Guarded(Model):
    """Carry out calls under the versions of parts."""

    __name__ = "hub.guarded"

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__rpc__ = {"run": RPC(readonly=False)}

    @classmethod
    def run(cls, model, method, document, arguments, parts):
        """Return what `method` of `model` returns for one `document`, if its parts are exactly these.

        Each of `parts` is [model, the field that points to the document, {id: version}], and names all there are.
        """
        whole, _ = callable_by_rpc(model, method)
        pieces = [callable_by_rpc(kind, "search_read")[0] for kind, _, _ in parts]
        # Where a lock is missing this ends the transaction, and Tryton begins anew with the locks taken first. Who adds
        # a part needs the document's row, who changes or removes one the part's own: from here on both must wait.
        whole.lock([document])
        for piece, (_, _, versions) in zip(pieces, parts, strict=True):
            piece.lock([int(part) for part in versions])
        _take(whole, document)
        # This transaction sees what was there when it began, perhaps before it had its locks; a new one sees what is.
        with Transaction().new_transaction(readonly=True):
            for kind, field, versions in parts:
                rows = rows_of(kind, [[field, "=", document]], ["_timestamp"])
                if {str(row["id"]): row["_timestamp"] for row in rows} != versions:
                    raise ConcurrencyException("Parts of the document were modified in the meanwhile")
        return call(model, method, [[document], *arguments])


def _take(model, document):
    """Let nobody else write on SQLite, which has no locks of rows: the first write takes the whole file."""
    if backend.name == "sqlite":
        table = model.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.update([table.id], [table.id], where=table.id == document))
