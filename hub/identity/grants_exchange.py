"""Token exchange (RFC 8693): an agent that was handed a person's token gets one of its own, for less and not longer.

| | rule |
| --- | --- |
| subject | an access token of this hub by which another agent acts for a person, or a token of a configured issuer |
| actor | the client itself, by its own proof; an actor token, if one is sent, has to be its own as well |
| person | has allowed this agent, at this very server, on the consent page: a token that was handed on allows nothing |
| scopes | what the subject token has, the person has allowed this agent, and the agent may hold: never more |
| resource | the one of the subject token |
| key | of a subject token that is bound, only a bound one is made: to the key of whoever exchanges it |
| time | never longer than the subject token, never refreshed; it ends with its grant, or its issuer's link |
| chain | `act` names every agent in it, at most `MOST_ACTORS`; each bounds it all the time |
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hub.core.errors import Unauthenticated
from hub.identity.clients import Client, ClientAuthentication
from hub.identity.foreign_people import known_as
from hub.identity.foreign_tokens import ForeignToken, read_foreign_token
from hub.identity.grants import (
    ACCESS_TOKEN_LIFETIME,
    EXCHANGED,
    AuthorizationServer,
    Issued,
    NewGrant,
    OAuthError,
    Refused,
    hold_word_of,
    issue,
    open_grant,
    scopes_within,
)
from hub.identity.grants_authorize import TARGET_HINT, allowed_server
from hub.identity.grants_consent import consented
from hub.identity.grants_lookup import live_access, readable_token
from hub.identity.resources import server_of
from hub.identity.tables import GrantRow
from hub.identity.tokens import foreign_caller
from hub.storage import Tx, now

TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105  # a name, not a secret
ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  # a name, not a secret
JWT: Final = "urn:ietf:params:oauth:token-type:jwt"
MOST_ACTORS: Final = 3
"""How many agents may stand between a person and a tool, each of them allowed by the person."""

_KINDS: Final = frozenset({ACCESS_TOKEN, JWT})
_TARGETS: Final = ("resource", "audience")
_NOT_LIVE: Final = "The subject_token is not good here, or not any more."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """Whose token it is, what it allows where and until when, who has acted with it so far, and by whose word."""

    user_id: str
    scopes: frozenset[str]
    resource: str
    expires_at: datetime
    authenticated_at: datetime | None
    actors: tuple[str, ...]
    grant_id: str | None
    issuer: str | None
    key_thumbprint: str | None


async def exchange_token(
    tx: Tx, server: AuthorizationServer, client: Client, parameters: Mapping[str, str]
) -> Issued | Refused:
    """Answer a request to exchange a token; every rule is in the table above."""
    problem = _malformed(client, parameters)
    if problem is not None:
        return problem
    if "actor_token" in parameters and not await _is_own(tx, server, client, parameters["actor_token"]):
        return _refused(OAuthError.INVALID_REQUEST, "The actor_token has to be one that you got for yourself.")
    subject = await _subject(tx, server, parameters)
    if subject is None:
        return _refused(OAuthError.INVALID_REQUEST, _NOT_LIVE)
    new = _other_key(client, subject) or await _narrowed(tx, server, client, subject, parameters)
    return new if isinstance(new, Refused) else await _issue(tx, server, new)


async def _narrowed(
    tx: Tx, server: AuthorizationServer, client: Client, subject: _Subject, parameters: Mapping[str, str]
) -> NewGrant | Refused:
    """Return the grant for what the client may do with the subject's token."""
    actors = subject.actors[1:] if subject.actors[:1] == (client.principal.id,) else subject.actors
    if len(actors) >= MOST_ACTORS:
        return _refused(OAuthError.INVALID_REQUEST, f"At most {MOST_ACTORS} agents may act one for another.")
    name = await allowed_server(tx, server, client, subject.resource)
    if name is None or {parameters.get(word, subject.resource) for word in _TARGETS} != {subject.resource}:
        return _refused(OAuthError.INVALID_TARGET, f"It can be the resource of the subject_token alone. {TARGET_HINT}")
    scopes = await _scopes(tx, client, subject, parameters)
    if isinstance(scopes, Refused):
        return scopes
    return NewGrant(
        kind=EXCHANGED,
        client=client.principal,
        user_id=subject.user_id,
        scopes=scopes,
        resource=subject.resource,
        server=name,
        authenticated_at=subject.authenticated_at,
        lifetime=min(subject.expires_at - await now(tx), ACCESS_TOKEN_LIFETIME),
        parent_id=subject.grant_id,
        actors=actors,
        issuer=subject.issuer,
        key_thumbprint=client.holds_key,
    )


def _other_key(client: Client, subject: _Subject) -> Refused | None:
    """Refuse to take the binding off: who exchanges holds a key, and for its own token the one that is bound to."""
    if subject.key_thumbprint in {None, client.holds_key}:
        return None
    if client.holds_key is None:
        hint = "The subject_token is bound to a key: send a DPoP proof of yours, which the new one will be bound to."
        return _refused(OAuthError.INVALID_DPOP_PROOF, hint)
    if subject.actors[0] == client.principal.id:
        return _refused(OAuthError.INVALID_REQUEST, "The subject_token is yours, and bound to another key.")
    return None


def _malformed(client: Client, parameters: Mapping[str, str]) -> Refused | None:
    if client.authentication is ClientAuthentication.NONE:
        return _refused(OAuthError.UNAUTHORIZED_CLIENT, "A public client proves nothing; send the person to consent.")
    if parameters["subject_token_type"] not in _KINDS:
        return _refused(OAuthError.INVALID_REQUEST, f"subject_token_type can be {ACCESS_TOKEN} or {JWT}.")
    if ("actor_token" in parameters) != ("actor_token_type" in parameters):
        return _refused(OAuthError.INVALID_REQUEST, "actor_token and actor_token_type belong together.")
    if parameters.get("actor_token_type", ACCESS_TOKEN) not in _KINDS:
        return _refused(OAuthError.INVALID_REQUEST, f"actor_token_type can be {ACCESS_TOKEN} or {JWT}.")
    if parameters.get("requested_token_type", ACCESS_TOKEN) not in _KINDS:
        return _refused(OAuthError.INVALID_REQUEST, f"requested_token_type can be {ACCESS_TOKEN} only.")
    return None


async def _is_own(tx: Tx, server: AuthorizationServer, client: Client, value: str) -> bool:
    said = await readable_token(server, value)
    found = None if said is None else await live_access(tx, server, said)
    if found is None or found.key_thumbprint not in {None, client.holds_key}:
        return False
    return found.client_id == client.principal.id and found.user_id is None


async def prepare_exchange(server: AuthorizationServer, parameters: Mapping[str, str]) -> None:
    """Have the keys at hand that an external issuer's subject token needs: nobody is asked while a transaction is open.

    Raises:
        Unavailable: the issuer does not answer.
    """
    link = server.issuers.of_token(parameters.get("subject_token", ""))
    if link is not None and parameters.get("grant_type") == TOKEN_EXCHANGE:
        with suppress(Unauthenticated):  # told later, to a client that has proved itself
            await read_foreign_token(link, parameters["subject_token"], parameters.get("resource", ""))


async def _subject(tx: Tx, server: AuthorizationServer, parameters: Mapping[str, str]) -> _Subject | None:
    value = parameters["subject_token"]
    link = server.issuers.of_token(value)
    if link is not None:
        try:
            said_there = await read_foreign_token(link, value, parameters.get("resource", ""))
            return await _foreign(tx, server, said_there, parameters)
        except Unauthenticated:
            return None
    said = await readable_token(server, value)
    if said is None:
        return None
    if said.user_id is not None:
        await hold_word_of(tx, server.database, said.user_id)
    # Its row is locked: whoever revokes the grant at this moment waits, and then finds what came of it.
    parent = await tx.get(GrantRow, said.grant_id, with_for_update=True, populate_existing=True)
    found = await live_access(tx, server, said)
    if parent is None or found is None or found.user_id is None:
        return None
    return _Subject(
        user_id=found.user_id,
        scopes=found.scopes,
        resource=found.resource,
        expires_at=found.expires_at,
        authenticated_at=said.authenticated_at,
        actors=(said.client_id, *said.actors),
        grant_id=said.grant_id,
        issuer=parent.issuer,
        key_thumbprint=said.key_thumbprint,
    )


async def _foreign(
    tx: Tx, server: AuthorizationServer, said: ForeignToken, parameters: Mapping[str, str]
) -> _Subject | None:
    resource = parameters.get("resource", "")
    person_id = None if said.subject is None else await known_as(tx, said.issuer.issuer, said.subject)
    if person_id is not None:
        await hold_word_of(tx, server.database, person_id)
    caller = await foreign_caller(tx, said, resource, server_of(resource, server.public_url))
    if caller.on_behalf_of is None or not said.valid_from <= await now(tx) < said.expires_at:
        return None
    return _Subject(
        user_id=caller.on_behalf_of.id,
        scopes=caller.scopes,
        resource=resource,
        expires_at=said.expires_at,
        authenticated_at=said.authenticated_at,
        actors=(caller.actor.id,),
        grant_id=None,
        issuer=said.issuer.issuer,
        key_thumbprint=said.key_thumbprint,
    )


async def _scopes(tx: Tx, client: Client, subject: _Subject, parameters: Mapping[str, str]) -> frozenset[str] | Refused:
    agent_id = client.principal.id
    allowed = await consented(tx, user_id=subject.user_id, client_id=agent_id, resource=subject.resource)
    if not allowed:
        return _refused(OAuthError.INVALID_GRANT, "The person has not allowed this agent here; ask for consent first.")
    scopes = scopes_within(parameters.get("scope"), subject.scopes & allowed & client.principal.allowed_scopes)
    hint = "Both the subject_token and the person's consent to this agent have to cover a scope; none is left."
    return scopes or _refused(OAuthError.INVALID_SCOPE, hint)


async def _issue(tx: Tx, server: AuthorizationServer, new: NewGrant) -> Issued:
    grant = await open_grant(tx, new)
    issued = await issue(tx, server, grant, new.scopes, with_refresh=False)
    return Issued(
        access_token=issued.access_token,
        refresh_token=None,
        lifetime=issued.lifetime,
        scopes=issued.scopes,
        is_exchanged=True,
        is_bound=issued.is_bound,
    )


def _refused(error: OAuthError, description: str) -> Refused:
    return Refused(error=error, description=description)
