"""Client ID metadata documents: a client whose `client_id` is the https URL of a document that says what it is.

| | rule |
| --- | --- |
| which | those an administrator registered, and of the hosts the operator named; no others are asked for |
| when | for somebody who is logged in; what is known, for its client too, when too old; so many times an hour |
| how | to judged addresses, no redirects, at most `LARGEST` bytes, in seconds; `*` means public addresses alone |
| keys | by https, and at public addresses alone unless an administrator registered the client |
| what | JSON whose `client_id` is its own URL, letter by letter; no shared secret; redirect URIs as for every client |
| how long | as `Cache-Control` says, but five minutes at least and a day at most; errors are never kept |

Source: draft-ietf-oauth-client-id-metadata-document-00; MCP, authorization.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import exists, or_, select

from hub.core.canonical import parse_json
from hub.core.errors import InputError, TooMany
from hub.identity.assertions import json_object
from hub.identity.authority import Authority
from hub.identity.clients import NewAgent, begin_logins_anew, create_agent, set_binding
from hub.identity.declarations import declare
from hub.identity.directory import find, is_plain
from hub.identity.login_budgets import Charge, spend
from hub.identity.newcomers import Introduction, Newcomers, introduced
from hub.identity.principals import Principal
from hub.identity.tables import ClientDocumentRow, ClientRow, PrincipalRow
from hub.outbound import Answer, NotFetched, Outbound
from hub.storage import Database, Tx, now

LARGEST: Final = 10 * 1024
LONGEST_URL: Final = 500
SHORTEST_LIFE: Final = timedelta(minutes=5)
USUAL_LIFE: Final = timedelta(hours=1)
LONGEST_LIFE: Final = timedelta(days=1)
_MAX_AGE: Final = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?(\d{1,9})\"?\s*(?:,|$)", re.IGNORECASE)
_NOT_KEPT: Final = re.compile(r"(?:^|,)\s*no-(?:store|cache)\b", re.IGNORECASE)
_ANYBODY: Final = "*"
_OK: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientDocuments:
    """By what documents are read: `outbound` goes wherever the operator allows, `public` to public addresses alone."""

    outbound: Outbound
    public: Outbound
    newcomers: Newcomers | None = None

    def admits(self, url: str) -> bool:
        """Return whether a client that nobody registered may come from there."""
        return self.newcomers is not None and self.newcomers.admits(urlsplit(url).netloc)

    def way_to(self, stale: "Stale") -> Outbound:
        """Return what to ask by: a host that somebody named may be an internal one, one that came by itself may not."""
        named = self.newcomers.documents_from if self.newcomers else frozenset[str]()
        is_named = urlsplit(stale.url).netloc in named - {_ANYBODY}
        return self.outbound if stale.is_registered or is_named else self.public


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """A client whose document has to be read before it is relied on; `principal_id` is None for one never seen."""

    url: str
    principal_id: str | None
    is_registered: bool = False
    """Whether an administrator registered it: only then may its document and its keys stand at an internal address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A document that was read: what it says, and for how long that is believed."""

    introduction: Introduction
    lifetime: timedelta


def is_document_url(client_id: str) -> bool:
    """Return whether a `client_id` is the URL of a document: https, with a path, and nothing that readers differ on."""
    try:
        parts = urlsplit(client_id)
        _ = parts.port  # refuses what is no port
    except ValueError:
        return False
    if parts.scheme != "https" or not parts.hostname or len(client_id) > LONGEST_URL or not is_plain(client_id):
        return False
    is_odd = "@" in parts.netloc or "#" in client_id or any(one in client_id for one in ' \\"<>^`{|}')
    return not is_odd and parts.path not in {"", "/"} and not {".", ".."} & set(parts.path.split("/"))


async def stale_client(tx: Tx, documents: ClientDocuments, client_id: str) -> Stale | None:
    """Return the client whose document has to be read now, or None: it is known well enough, or not to be known."""
    if not is_plain(client_id):
        return None
    known = or_(ClientDocumentRow.url == client_id, ClientDocumentRow.principal_id == client_id)
    row = await tx.scalar(select(ClientDocumentRow).where(known))
    if row is not None:
        if row.fresh_until > await now(tx):
            return None
        client = await tx.get_one(ClientRow, row.principal_id)
        return Stale(url=row.url, principal_id=row.principal_id, is_registered=not client.is_newcomer)
    may_come = is_document_url(client_id) and documents.admits(client_id)
    return Stale(url=client_id, principal_id=None) if may_come else None


async def takes_documents(tx: Tx, documents: ClientDocuments) -> bool:
    """Return whether a client that comes with a document may be one that is known here, or becomes so."""
    if documents.newcomers is not None and documents.newcomers.documents_from:
        return True
    return bool(await tx.scalar(select(exists().where(ClientDocumentRow.url.is_not(None)))))


async def read_document(
    database: Database, documents: ClientDocuments, stale: Stale, *, charges: Sequence[Charge], authority: Authority
) -> None:
    """Read a client's document and put on record what it says; a client that is new becomes an agent.

    It opens its own transactions, and none is open while the document is fetched.

    Raises:
        InputError: there is no document, or it will not do; what was known before stays, and is not relied on.
        TooMany: who pays for it, a person or an address, has made the hub read too many lately.
    """
    async with database.transaction() as tx:
        wait = await spend(tx, charges)
    if wait is not None:
        raise TooMany(
            f"Too many applications were looked up for you. Try again in {wait} seconds.", retry_after_seconds=wait
        )
    read = await _read(documents, stale)
    async with database.transaction() as tx:
        await database.lock(tx, f"client document {stale.url}")
        row = await tx.scalar(select(ClientDocumentRow).where(ClientDocumentRow.url == stale.url).with_for_update())
        if row is None:
            row = await _meet(tx, documents, stale.url, read.introduction, authority)
        await _update(tx, row, read.introduction, authority)
        row.fresh_until = await now(tx) + read.lifetime
        await tx.flush()


async def register_document(tx: Tx, agent: Principal, url: str) -> None:
    """Let an agent be known by its document, which is read when somebody is asked to allow it.

    Raises:
        InputError: this is no URL of a document, or another agent's.
    """
    if not is_document_url(url):
        raise InputError("A metadata document has an https URL with a path, without user, fragment and dots.")
    if await tx.scalar(select(ClientDocumentRow.url).where(ClientDocumentRow.url == url)) is not None:
        raise InputError("This document is another agent's already.")
    tx.add(ClientDocumentRow(principal_id=agent.id, url=url, fresh_until=await now(tx)))
    await tx.flush()


async def document_of(tx: Tx, principal_id: str) -> str | None:
    """Return the URL of the document by which an agent is known, or None."""
    row = await tx.get(ClientDocumentRow, principal_id)
    return None if row is None else row.url


async def _read(documents: ClientDocuments, stale: Stale) -> _Read:
    try:
        answer = await documents.way_to(stale).get(stale.url, largest=LARGEST)
    except NotFetched as error:
        raise InputError(f"The application's document cannot be read. {error}") from error
    said = _said(answer, stale.url)
    if said.get("token_endpoint_auth_method") == "private_key_jwt" and "jwks" not in said:
        keys_by = documents.outbound if stale.is_registered else documents.public
        said = {**said, "jwks": await _keys(keys_by, str(said.get("jwks_uri", "")))}
    return _Read(introduction=introduced(said, with_secrets=False), lifetime=lifetime_in(answer.headers))


def _said(answer: Answer, url: str) -> Mapping[str, Any]:
    is_json = answer.media_type == "application/json" or re.fullmatch(r"application/[\w.-]+\+json", answer.media_type)
    said = json_object(parse_json(answer.body)) if answer.status == _OK and is_json else None
    if said is None:
        raise InputError("The application's document is none: it has to be JSON, answered with 200 at its own address.")
    if said.get("client_id") != url:
        raise InputError("The application's document is another one's: its client_id is not its own address.")
    if not {"client_secret", "client_secret_expires_at"}.isdisjoint(said):
        raise InputError("The application's document holds a secret, which everybody can read.")
    return said


async def _keys(outbound: Outbound, url: str) -> object:
    if not url.startswith("https://"):
        raise InputError("The application's keys have to stand at an https address: jwks_uri.")
    try:
        answer = await outbound.get(url)
    except NotFetched as error:
        raise InputError(f"The application's keys cannot be read. {error}") from error
    return parse_json(answer.body) if answer.status == _OK else None


def lifetime_in(headers: Mapping[str, str]) -> timedelta:
    """Return for how long a document is believed that came with these headers."""
    said = headers.get("cache-control", "")
    found = _MAX_AGE.search(said)
    if _NOT_KEPT.search(said):
        return SHORTEST_LIFE
    wanted = USUAL_LIFE if found is None else timedelta(seconds=int(found[1]))
    return min(max(wanted, SHORTEST_LIFE), LONGEST_LIFE)


async def _meet(
    tx: Tx, documents: ClientDocuments, url: str, said: Introduction, authority: Authority
) -> ClientDocumentRow:
    agent = await newcomer(tx, documents.newcomers, said, _name_for(url), authority)
    row = ClientDocumentRow(principal_id=agent.id, url=url, fresh_until=await now(tx))
    tx.add(row)
    await tx.flush()
    return row


async def newcomer(
    tx: Tx, newcomers: Newcomers | None, said: Introduction, name: str, authority: Authority
) -> Principal:
    """Make an agent of what introduced itself, within the operator's bounds.

    Raises:
        InputError: the operator admits none, or the owner that the settings name has no account.
    """
    owner = None if newcomers is None else await find(tx, newcomers.owner)
    if newcomers is None or owner is None:
        raise InputError("This hub cannot take newcomers now: nobody here answers for them.")
    new = NewAgent(
        name=name,
        display_name=said.name,
        owner_id=owner.id,
        allowed_scopes=newcomers.scopes,
        allowed_servers=newcomers.servers,
        redirect_uris=said.redirect_uris,
        authentication=said.authentication,
        jwks=said.jwks,
        is_newcomer=True,
        needs_bound_tokens=said.needs_bound_tokens,
    )
    return await create_agent(tx, new, authority)


async def _update(tx: Tx, row: ClientDocumentRow, said: Introduction, authority: Authority) -> None:
    client = await tx.get_one(ClientRow, row.principal_id, populate_existing=True, with_for_update=True)
    principal = await tx.get_one(PrincipalRow, row.principal_id, populate_existing=True)
    if client.redirect_uris != list(said.redirect_uris):
        client.redirect_uris = list(said.redirect_uris)
        await begin_logins_anew(tx, row.principal_id)
    client.authentication = said.authentication.value
    client.jwks = None if said.jwks is None else dict(said.jwks)
    if said.needs_bound_tokens and not client.needs_bound_tokens:  # a document may be stricter, and takes nothing back
        await set_binding(tx, row.principal_id, authority, is_needed=True)
    principal.display_name = said.name
    await tx.flush()
    await declare(tx, client, authority)


def _name_for(url: str) -> str:
    host = re.sub(r"[^a-z0-9.-]", "-", (urlsplit(url).hostname or "").lower()).lstrip(".-")[:46]
    return f"{host or 'client'}-{hashlib.sha256(url.encode()).hexdigest()[:16]}"
