"""Identity assertions (ID-JAG): a company's issuer says that an agent may act for a person, instead of the person.

The operator has to have said so (`asserts`), the agent proves itself as always, and the assertion has to name that very
agent and this hub. It is good once, for ten minutes at most, and gives an access token that is never refreshed.
Source: draft-ietf-oauth-identity-assertion-authz-grant, RFC 7523.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from hub.core.errors import Unauthenticated
from hub.identity.assertions import LONGEST_LIFE, use_once
from hub.identity.client_documents import document_of
from hub.identity.clients import Client, ClientAuthentication
from hub.identity.foreign_people import known_as, person_of
from hub.identity.foreign_tokens import CLOCK_SKEW, IdentityAssertion, read_identity_assertion
from hub.identity.grants import (
    ACCESS_TOKEN_LIFETIME,
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
from hub.identity.principals import Principal
from hub.storage import Tx, now

JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ID_JAG: Final = "urn:ietf:params:oauth:grant-profile:id-jag"
_NOT_GOOD: Final = "The assertion is not good here, not for you, or was used before; ask your issuer for a new one."


async def prepare_assertion(server: AuthorizationServer, parameters: Mapping[str, str]) -> None:
    """Have the keys at hand that an assertion needs: nobody is asked while a transaction is open.

    Raises:
        Unavailable: the issuer does not answer.
    """
    link = server.issuers.of_assertion(parameters.get("assertion", ""))
    if link is not None and parameters.get("grant_type") == JWT_BEARER:
        with suppress(Unauthenticated):  # told later, to a client that has proved itself
            await read_identity_assertion(link, parameters["assertion"], server.issuer)


async def redeem_assertion(
    tx: Tx, server: AuthorizationServer, client: Client, parameters: Mapping[str, str]
) -> Issued | Refused:
    """Answer a request with an identity assertion."""
    if client.authentication is ClientAuthentication.NONE:
        return _refused(OAuthError.UNAUTHORIZED_CLIENT, "A public client proves nothing; send the person to consent.")
    said = await _said(tx, server, client, parameters["assertion"])
    person = None if said is None else await _person(tx, server, said)
    if said is None or person is None or person.is_suspended:
        return _refused(OAuthError.INVALID_GRANT, _NOT_GOOD)
    resource = parameters.get("resource", said.resource or "")
    name = await allowed_server(tx, server, client, resource)
    if name is None or said.resource not in {None, resource}:
        return _refused(OAuthError.INVALID_TARGET, TARGET_HINT)
    scopes = scopes_within(parameters.get("scope"), said.scopes & client.principal.allowed_scopes)
    if not scopes:
        return _refused(OAuthError.INVALID_SCOPE, "The assertion covers none of these scopes that the agent may have.")
    new = _grant(client, person, said, scopes, (resource, name))
    return await issue(tx, server, await open_grant(tx, new), scopes, with_refresh=False)


async def _person(tx: Tx, server: AuthorizationServer, said: IdentityAssertion) -> Principal | None:
    person_id = await known_as(tx, said.issuer.issuer, said.subject)
    if person_id is not None:
        await hold_word_of(tx, server.database, person_id)
    return await person_of(tx, said.issuer.issuer, said.subject)  # as it is once nobody unlinks it any more


def _grant(
    client: Client, person: Principal, said: IdentityAssertion, scopes: frozenset[str], where: tuple[str, str]
) -> NewGrant:
    return NewGrant(
        kind="identity_assertion",
        client=client.principal,
        user_id=person.id,
        scopes=scopes,
        resource=where[0],
        server=where[1],
        authenticated_at=said.authenticated_at,
        lifetime=ACCESS_TOKEN_LIFETIME,
        issuer=said.issuer.issuer,
        key_thumbprint=client.holds_key,
    )


async def _said(tx: Tx, server: AuthorizationServer, client: Client, text: str) -> IdentityAssertion | None:
    """Return what an assertion says if it is for this client, now, and was never used before."""
    link = server.issuers.of_assertion(text)
    if link is None:
        return None
    try:
        said = await read_identity_assertion(link, text, server.issuer)
    except Unauthenticated:
        return None
    at = await now(tx)
    is_theirs = said.client_id in {client.principal.id, await document_of(tx, client.principal.id)}
    is_held = said.key_thumbprint in {None, client.holds_key}
    is_now = said.valid_from <= at < said.expires_at <= at + LONGEST_LIFE + CLOCK_SKEW
    is_first = is_theirs and is_held and is_now and await use_once(tx, link.issuer.issuer, said.id, said.expires_at)
    return said if is_first else None


def _refused(error: OAuthError, description: str) -> Refused:
    return Refused(error=error, description=description)
