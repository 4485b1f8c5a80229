"""Logging in at an external issuer: authorization code with PKCE, state and nonce; only its ID token says who it is.

Source: OpenID Connect Core 1.0 section 3.1, RFC 7636, RFC 9207, RFC 9700.
"""

import base64
import hashlib
import hmac
import secrets
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

from hub.core.canonical import parse_json
from hub.core.errors import InputError, Malformed, Unauthenticated, Unavailable
from hub.identity.assertions import json_object
from hub.identity.foreign_tokens import CLOCK_SKEW, moment, read_id_token
from hub.identity.issuer_keys import IssuerLink, Metadata
from hub.identity.sessions import LIFETIME
from hub.keys import Keyring
from hub.outbound import NotFetched

JOURNEY_SECONDS: Final = 600
_PURPOSE: Final = "login at an issuer"
_LARGEST: Final = 64 * 1024
_AGAIN: Final = "This sign-in was not finished here or took too long. Start it again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """One person on the way to an issuer and back; it is sealed into a cookie of the browser that set out.

    `is_fresh` asks for a login that happens now, of `person_id`, who has a session here.
    """

    issuer: str
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    next: str
    is_fresh: bool = False
    person_id: str | None = None

    def sealed(self, keys: Keyring) -> str:
        """Return what the browser keeps meanwhile; it cannot read it.

        What an application asks for (`next`) can be long, and no cookie may be.
        """
        packed = base64.b85encode(zlib.compress(self.next.encode(), 9)).decode()
        return keys.seal(asdict(replace(self, next=packed)), purpose=_PURPOSE, seconds=JOURNEY_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """What the issuer said of somebody, and when that person proved it there."""

    claims: Mapping[str, Any]
    authenticated_at: datetime


def set_out(issuer: str, *, to: str, person_id: str | None = None) -> Journey:
    """Return a journey to an issuer that comes back to `to`; with a person, one that renews that person's login."""
    return Journey(
        issuer=issuer,
        state=secrets.token_urlsafe(24),
        nonce=secrets.token_urlsafe(24),
        verifier=secrets.token_urlsafe(48),
        next=to,
        is_fresh=person_id is not None,
        person_id=person_id,
    )


def journey_in(cookie: str | None, keys: Keyring, issuer: str) -> Journey:
    """Return the journey to this issuer that a browser is on.

    Raises:
        Unauthenticated: it is on none, or was for too long.
    """
    try:
        found = Journey(**keys.unseal(cookie or "", purpose=_PURPOSE))
    except Malformed as error:
        raise Unauthenticated(_AGAIN) from error
    if found.issuer != issuer:
        raise Unauthenticated(_AGAIN)
    return replace(found, next=zlib.decompress(base64.b85decode(found.next)).decode())


async def address_of(link: IssuerLink, journey: Journey, redirect_uri: str) -> str:
    """Return where to send the browser.

    Raises:
        Unavailable: the issuer cannot be asked.
    """
    digest = hashlib.sha256(journey.verifier.encode()).digest()
    asked = {
        "response_type": "code",
        "client_id": link.issuer.client_id,
        "redirect_uri": redirect_uri,
        "scope": "openid profile",
        "state": journey.state,
        "nonce": journey.nonce,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    if journey.is_fresh:
        asked |= {"prompt": "login", "max_age": "0"}
        if link.issuer.fresh_acr is not None:
            asked["acr_values"] = link.issuer.fresh_acr
    endpoint = (await link.metadata()).authorization_endpoint
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"


async def arrive(
    link: IssuerLink, journey: Journey, answer: Mapping[str, str], *, redirect_uri: str, at: datetime
) -> Arrived:
    """Return who came back with `answer`, the query that the issuer sent the browser back with.

    Raises:
        Unauthenticated: nobody, or not from this issuer, or not freshly enough.
        Unavailable: the issuer cannot be asked.
    """
    metadata = await link.metadata()
    code = _code(link, metadata, journey, answer)
    claims = await read_id_token(
        link, await _redeemed(link, metadata, code, journey, redirect_uri), nonce=journey.nonce, at=at
    )
    said = moment(claims.get("auth_time"))
    proven_at = said if said is not None and said <= at + CLOCK_SKEW else None  # nobody has proved anything tomorrow
    is_strong = link.issuer.fresh_acr is None or claims.get("acr") == link.issuer.fresh_acr
    if journey.is_fresh:
        if proven_at is None or at - proven_at > timedelta(seconds=JOURNEY_SECONDS) + CLOCK_SKEW or not is_strong:
            raise Unauthenticated(f"{link.issuer.title} did not ask you to prove who you are now, as this needs.")
        return Arrived(claims=claims, authenticated_at=proven_at)
    # A session at the issuer may be weeks old. What it does not say when it began counts as not fresh.
    return Arrived(claims=claims, authenticated_at=proven_at if proven_at is not None and is_strong else at - LIFETIME)


def _code(link: IssuerLink, metadata: Metadata, journey: Journey, answer: Mapping[str, str]) -> str:
    if not hmac.compare_digest(answer.get("state", "").encode(), journey.state.encode()):
        raise Unauthenticated(_AGAIN)
    # Another issuer could send the browser here with its own code (mix-up, RFC 9207 section 2.4).
    named = answer.get("iss", None if metadata.names_itself else metadata.issuer)
    if named != metadata.issuer:
        raise Unauthenticated(_AGAIN)
    if "code" not in answer:
        raise Unauthenticated(f"{link.issuer.title} did not let you in.")
    return answer["code"]


async def _redeemed(link: IssuerLink, metadata: Metadata, code: str, journey: Journey, redirect_uri: str) -> str:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": journey.verifier,
    }
    headers = dict[str, str]()
    client_id, secret = link.issuer.client_id, link.issuer.client_secret
    if secret is None:
        form["client_id"] = client_id
    elif "client_secret_basic" in metadata.token_methods:
        pair = f"{quote_plus(client_id)}:{quote_plus(secret.get_secret_value())}"
        headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    else:
        form |= {"client_id": client_id, "client_secret": secret.get_secret_value()}
    try:
        answer = await link.outbound.post(metadata.token_endpoint, form, headers, largest=_LARGEST)
        body = json_object(parse_json(answer.body)) or {}
    except (NotFetched, InputError) as error:
        raise Unavailable(f"{link.issuer.title} cannot be asked now; try again.") from error
    token = body.get("id_token") if answer.status == 200 else None  # noqa: PLR2004  # success
    if not isinstance(token, str):
        raise Unauthenticated(f"{link.issuer.title} did not say who you are.")
    return token
