"""What external issuers sign: ID tokens for people who log in, access tokens for agents; checked before it is read.

The algorithm is a property of the issuer's key: neither `none` nor a shared secret is ever considered, whatever the
header says. Every refusal has the same words, so that whoever forges learns nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError

from hub.identity.access_tokens import refused
from hub.identity.assertions import algorithms_of, json_list, unproven
from hub.identity.issuer_keys import IssuerLink
from hub.identity.issuers import Issuer, TokenRules, words_in
from hub.identity.key_binding import thumbprint_in
from hub.identity.scopes import parse_scopes

CLOCK_SKEW: Final = timedelta(seconds=60)
EXACT_TO: Final = timedelta(seconds=1)
"""Of the times in tokens."""
LONGEST_SUBJECT: Final = 255
_AT_JWT: Final = frozenset({"at+jwt", "application/at+jwt"})
_ID_JAG: Final = frozenset({"oauth-id-jag+jwt", "application/oauth-id-jag+jwt"})
_JWT: Final = frozenset({"jwt", "application/jwt"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignToken:
    """What an issuer's access token says: which of its clients calls, for whom, until when, with which scopes of ours.

    `subject` is None where the client calls for nobody but itself.
    """

    issuer: Issuer
    rules: TokenRules
    client: str
    subject: str | None
    scopes: frozenset[str]
    id: str
    authenticated_at: datetime | None
    issued_at: datetime
    valid_from: datetime
    expires_at: datetime
    key_thumbprint: str | None
    """Of the key that it is bound to, if it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityAssertion:
    """What an issuer says: this client may act for this subject, at the resource if it names one, within the scopes."""

    issuer: Issuer
    client_id: str
    subject: str
    scopes: frozenset[str]
    resource: str | None
    id: str
    authenticated_at: datetime | None
    valid_from: datetime
    expires_at: datetime
    key_thumbprint: str | None
    """Of the key whose holder alone may redeem it, if it says so."""


class ForeignIssuers:
    """The external issuers of a hub, by the name in addresses and by the identifier in tokens."""

    def __init__(self, links: Sequence[IssuerLink] = ()) -> None:
        self._by_name = {link.issuer.name: link for link in links}
        self._by_issuer = {link.issuer.issuer: link for link in links}

    def __iter__(self) -> Iterator[IssuerLink]:
        """Yield them in the order of the settings."""
        return iter(self._by_name.values())

    def find(self, name: str) -> IssuerLink | None:
        """Return the issuer with this name, or None."""
        return self._by_name.get(name)

    def taking_tokens(self) -> list[str]:
        """Return the identifiers of those whose access tokens are taken."""
        return [link.issuer.issuer for link in self if link.issuer.tokens is not None]

    def of_token(self, text: str) -> IssuerLink | None:
        """Return the issuer whose access token `text` claims to be, or None: of none whose tokens are taken."""
        link = self._claimed(text)
        return link if link is not None and link.issuer.tokens is not None else None

    def of_assertion(self, text: str) -> IssuerLink | None:
        """Return the issuer whose identity assertion `text` claims to be, or None: of none that may assert any."""
        link = self._claimed(text)
        return link if link is not None and link.issuer.asserts else None

    def _claimed(self, text: str) -> IssuerLink | None:
        said = unproven(text)
        named = None if said is None else said.claims.get("iss")
        return self._by_issuer.get(named) if isinstance(named, str) else None


async def read_foreign_token(link: IssuerLink, text: str, resource: str) -> ForeignToken:
    """Return what an issuer's access token for `resource` says; whether it does so now is for the verifier to decide.

    Raises:
        Unauthenticated: it is not the issuer's, not for this resource, not an access token, or not well formed.
        Unavailable: the issuer's keys cannot be read.
    """
    rules = link.issuer.tokens
    if rules is None:
        raise refused()
    header, claims = await _verified(link, text)
    types = _AT_JWT | _JWT if rules.takes_plain_jwt else _AT_JWT
    if header.get("typ", "").lower() not in types:
        raise refused()
    if (rules.audience or resource) not in _audiences(claims) or "nonce" in claims:
        raise refused()  # a nonce stands in ID tokens alone
    client, subject = _text(claims, rules.client_claim), _text(claims, link.issuer.subject_claim)
    words = words_in(claims.get(rules.scope_claim))
    identifier = claims.get("jti", claims.get("uti"))
    return ForeignToken(
        issuer=link.issuer,
        rules=rules,
        client=client,
        subject=None if _is_of_the_client(claims, client) else subject,
        scopes=frozenset(scope for word in words for scope in rules.scopes.get(word, ())),
        id=identifier if isinstance(identifier, str) else "",
        authenticated_at=_proven_at(claims),
        issued_at=_issued_at(claims),
        valid_from=_valid_from(claims),
        expires_at=_needed(claims, "exp"),
        key_thumbprint=_bound(claims),
    )


async def read_identity_assertion(link: IssuerLink, text: str, audience: str) -> IdentityAssertion:
    """Return what an issuer's identity assertion for the authorization server `audience` says.

    Source: draft-ietf-oauth-identity-assertion-authz-grant.

    Raises:
        Unauthenticated: it is not the issuer's, not for this server, another kind of token, or not well formed.
        Unavailable: the issuer's keys cannot be read.
    """
    header, claims = await _verified(link, text)
    if header.get("typ", "").lower() not in _ID_JAG or _audiences(claims) != [audience]:
        raise refused()
    resource, scope = claims.get("resource"), claims.get("scope")
    if not isinstance(resource, str | None) or not isinstance(scope, str):
        raise refused()
    return IdentityAssertion(
        issuer=link.issuer,
        client_id=_text(claims, "client_id"),
        subject=_text(claims, link.issuer.subject_claim),
        scopes=parse_scopes(scope),
        resource=resource,
        id=_text(claims, "jti"),
        authenticated_at=_proven_at(claims),
        valid_from=_valid_from(claims),
        expires_at=_needed(claims, "exp"),
        key_thumbprint=_bound(claims),
    )


async def read_id_token(link: IssuerLink, text: str, *, nonce: str, at: datetime) -> Mapping[str, Any]:
    """Return the claims of an ID token that was made for this hub, for this very login, and is good at `at`.

    Source: OpenID Connect Core 1.0 section 3.1.3.7.

    Raises:
        Unauthenticated: it is none.
        Unavailable: the issuer's keys cannot be read.
    """
    header, claims = await _verified(link, text)
    ours, audiences = link.issuer.client_id, _audiences(claims)
    if header.get("typ", "jwt").lower() not in _JWT or claims.get("nonce") != nonce:
        raise refused()
    if ours not in audiences or claims.get("azp", ours) != ours or (len(audiences) > 1 and "azp" not in claims):
        raise refused()
    not_before = moment(claims.get("nbf")) or _needed(claims, "iat")
    if not not_before - CLOCK_SKEW <= at < _needed(claims, "exp") + CLOCK_SKEW:
        raise refused()
    _text(claims, link.issuer.subject_claim)
    return claims


def moment(seconds: object) -> datetime | None:
    """Return the moment that a claim names, or None if it names none."""
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        return None
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (OverflowError, ValueError, OSError):
        return None


async def _verified(link: IssuerLink, text: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    said = unproven(text)
    if said is None:
        raise refused()
    try:
        key = await link.key(said.header.get("kid"), said.header.get("alg", ""))
        if key is None:
            raise refused()
        token = jwt.decode(text, key, algorithms=algorithms_of(key))
    except (JoseError, TypeError, ValueError) as error:
        raise refused() from error
    if token.claims.get("iss") != link.issuer.issuer:
        raise refused()  # an issuer speaks for itself alone, whatever its keys could sign
    return token.header, token.claims


def _bound(claims: Mapping[str, Any]) -> str | None:
    try:
        return thumbprint_in(claims)
    except ValueError as error:  # by a certificate, say, which the hub cannot look at
        raise refused() from error


def _is_of_the_client(claims: Mapping[str, Any], client: str) -> bool:
    return claims.get("sub") == client or claims.get("idtyp") == "app"


def _audiences(claims: Mapping[str, Any]) -> list[str]:
    said = claims.get("aud")
    return [one for one in json_list(said) or [said] if isinstance(one, str)]


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_SUBJECT or not value.isprintable():
        raise refused()
    return value


def _valid_from(claims: Mapping[str, Any]) -> datetime:
    """Return from when on a token is good: nobody has issued it before it was issued, whatever `nbf` says."""
    return max(moment(claims.get("nbf")) or _needed(claims, "iat"), _issued_at(claims)) - CLOCK_SKEW


def _proven_at(claims: Mapping[str, Any]) -> datetime | None:
    """Return when the person proved who they are, if that is said, and was before their token was made."""
    proven = moment(claims.get("auth_time"))
    return proven if proven is not None and proven <= _issued_at(claims) + CLOCK_SKEW else None


def _issued_at(claims: Mapping[str, Any]) -> datetime:
    return moment(claims.get("iat")) or _needed(claims, "nbf")


def _needed(claims: Mapping[str, Any], name: str) -> datetime:
    found = moment(claims.get(name))
    if found is None:
        raise refused()
    return found
