"""The vault: upstream credentials, encrypted at rest and opened only for the broker."""

import json
from collections.abc import Iterator, Mapping

from sqlalchemy import delete

from hub.core.canonical import canonical_json
from hub.core.errors import Malformed, Unavailable
from hub.credentials.tables import CredentialRow
from hub.identity.authority import Authority
from hub.keys import Keyring
from hub.registry import Connection, get_connection, renew_connection, spec_for, system_of
from hub.storage import Tx, now


class CredentialUnusable(Unavailable):
    """What is kept cannot be used as it is; the message says what to do."""


class Secret(Mapping[str, str]):
    """The fields of one credential; its `repr` shows their names and no value."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = dict(fields)

    def __getitem__(self, name: str) -> str:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"Secret({', '.join(sorted(self._fields))})"


class Vault:
    """Keeps and opens the credentials of connections."""

    def __init__(self, keys: Keyring) -> None:
        self._keys = keys

    async def put(self, tx: Tx, connection_id: str, secret: Mapping[str, str], authority: Authority) -> None:
        """Keep `secret` for the connection in place of what was kept before; its generation grows.

        Raises:
            Forbidden: it is neither the connection's owner nor an administrator.
        """
        connection = await renew_connection(tx, connection_id, authority, changed="credential")
        sealed = self._keys.encrypt(canonical_json(dict(secret)), context=await _context(tx, connection))
        await tx.merge(CredentialRow(connection_id=connection_id, sealed=sealed, changed_at=await now(tx)))
        await tx.flush()

    async def open(self, tx: Tx, connection_id: str) -> Secret:
        """Return the connection's credential; empty if it has none.

        Raises:
            CredentialUnusable: it was entered for another system than the one the connection leads to now.
        """
        row = await tx.get(CredentialRow, connection_id)
        return Secret({} if row is None else await self._opened(tx, row, await get_connection(tx, connection_id)))

    async def renew(self, tx: Tx, connection_id: str, field: str, *, old: str, new: str) -> None:
        """Keep `new` as `field` of the connection's credential, if that is still `old`.

        The system itself gave it in place of the old one: it is the same account, so the generation stays.
        """
        row = await tx.get(CredentialRow, connection_id, with_for_update=True)
        if row is None:
            return
        connection = await get_connection(tx, connection_id)
        secret = await self._opened(tx, row, connection)
        if secret.get(field) == old:
            context = await _context(tx, connection)
            sealed = self._keys.encrypt(canonical_json({**secret, field: new}), context=context)
            row.sealed, row.changed_at = sealed, await now(tx)
            await tx.flush()

    async def forget(self, tx: Tx, connection_id: str) -> None:
        """Delete the connection's credential."""
        await tx.execute(delete(CredentialRow).where(CredentialRow.connection_id == connection_id))

    async def _opened(self, tx: Tx, row: CredentialRow, connection: Connection) -> dict[str, str]:
        try:
            fields: dict[str, str] = json.loads(self._keys.decrypt(row.sealed, context=await _context(tx, connection)))
        except Malformed as error:
            raise CredentialUnusable(
                f"The credential of {connection.name} was entered for another system, or changed: enter it again."
            ) from error
        return fields


async def _context(tx: Tx, connection: Connection) -> str:
    """Return what a credential is bound to: the connection, the system it leads to, and where a token is fetched.

    Whoever may move a connection, or publish its connector, must not get to see by that what somebody else entered.
    """
    spec = await spec_for(tx, connection)
    fetched_at = spec.auth.parameters.get("token_url", "")
    return f"credential:{connection.id}:{system_of(connection.base_url)}:{fetched_at}"
