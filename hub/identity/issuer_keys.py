"""What an external issuer publishes: its metadata and its keys, read when they are needed, believed for a while."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import Key, import_key

from hub.core.canonical import parse_json
from hub.core.errors import InputError, Unavailable
from hub.identity.assertions import algorithms_of, json_list, json_object
from hub.identity.issuers import Issuer
from hub.outbound import NotFetched, Outbound
from hub.outbound.fetching import checked_url

BELIEVED_SECONDS: Final = 3600.0
REFETCH_SECONDS: Final = 30.0
"""A key id that nobody has seen makes the hub look once in this time, whoever invents how many of them."""
FAILED_SECONDS: Final = 3.0
"""An issuer that did not answer is left alone for so long, whoever sends tokens in its name."""
MOST_KEYS: Final = 100
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What an issuer says of itself (OpenID Connect Discovery 1.0 section 3), as far as the hub uses it."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_methods: frozenset[str]
    names_itself: bool
    """Whether its answers name it (RFC 9207); then one that does not is not its answer."""


@dataclass(frozen=True, slots=True)
class _Keys:
    by_id: Mapping[str | None, Sequence[Key]]
    read_at: float


class IssuerLink:
    """What is known of one issuer in this process. Two who ask at once look once."""

    def __init__(self, issuer: Issuer, outbound: Outbound, clock: Callable[[], float] = time.monotonic) -> None:
        self.issuer = issuer
        self.outbound = outbound
        self._clock = clock
        self._metadata: tuple[Metadata, float] | None = None
        self._keys: _Keys | None = None
        self._failure: tuple[str, float] | None = None
        self._one_reader = asyncio.Lock()

    async def metadata(self) -> Metadata:
        """Return what the issuer says of itself.

        Raises:
            Unavailable: it does not answer, or says something else than an issuer of this name would.
        """
        async with self._one_reader:
            return await self._known_metadata()

    async def key(self, key_id: str | None, algorithm: str) -> Key | None:
        """Return the issuer's key with this id that signs so, or None: there is none, or more than one may be meant.

        Keys of several kinds may share an id (RFC 7517 section 4.5).

        Raises:
            Unavailable: the issuer does not answer.
        """
        keys = self._keys
        age = BELIEVED_SECONDS if keys is None else self._clock() - keys.read_at
        found = None if keys is None else _named(keys, key_id, algorithm)
        if age < BELIEVED_SECONDS and (found is not None or age < REFETCH_SECONDS):
            return found
        return _named(await self._read_keys(keys), key_id, algorithm)

    async def count_keys(self) -> int:
        """Return how many keys the issuer publishes now that a signature can be checked with.

        Raises:
            Unavailable: the issuer does not answer.
        """
        return sum(map(len, (await self._read_keys(self._keys)).by_id.values()))

    async def _known_metadata(self) -> Metadata:
        known = self._metadata
        if known is not None and self._clock() - known[1] < BELIEVED_SECONDS:
            return known[0]
        url = f"{self.issuer.issuer.rstrip('/')}/.well-known/openid-configuration"
        document = await self._json(url)
        try:
            found = _metadata(self.issuer, document)
        except NotFetched as error:
            raise self._failed(str(error)) from error
        self._metadata = (found, self._clock())
        return found

    async def _read_keys(self, before: _Keys | None) -> _Keys:
        async with self._one_reader:
            if self._keys is not None and self._keys is not before:
                return self._keys
            document = await self._json((await self._known_metadata()).jwks_uri)
            self._keys = _Keys(_usable(document.get("keys")), self._clock())
            return self._keys

    async def _json(self, url: str) -> Mapping[str, Any]:
        if self._failure is not None and self._clock() - self._failure[1] < FAILED_SECONDS:
            raise Unavailable(self._failure[0])
        try:
            answer = await self.outbound.get(url)
            document = parse_json(answer.body) if answer.status == 200 else None  # noqa: PLR2004  # success
        except (NotFetched, InputError) as error:
            raise self._failed(f"{self.issuer.title} cannot be asked: {error}") from error
        found = json_object(document)
        if found is None:
            raise self._failed(f"{self.issuer.title} answers {answer.status} and no document at {url}.")
        return found

    def _failed(self, message: str) -> Unavailable:
        self._failure = (message, self._clock())
        return Unavailable(message)


def _metadata(issuer: Issuer, document: Mapping[str, Any]) -> Metadata:
    if document.get("issuer") != issuer.issuer:
        # Whoever answers here is somebody else, and so are its keys (OpenID Connect Discovery 1.0 section 4.3).
        raise NotFetched(f"{issuer.title} says it is {document.get('issuer')!r}, not {issuer.issuer!r}.")
    for name in _ENDPOINTS:
        try:
            checked_url(str(document.get(name, "")))
        except NotFetched as error:
            raise NotFetched(f"{issuer.title} names no {name} that can be used. {error}") from error
    methods = json_list(document.get("token_endpoint_auth_methods_supported")) or ["client_secret_basic"]
    return Metadata(
        issuer=issuer.issuer,
        authorization_endpoint=document["authorization_endpoint"],
        token_endpoint=document["token_endpoint"],
        jwks_uri=document["jwks_uri"],
        token_methods=frozenset(one for one in methods if isinstance(one, str)),
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
    )


def _usable(keys: object) -> dict[str | None, list[Key]]:
    """Return the keys that a signature may be checked with: public, of a kind that has one meaning, for signing."""
    found: dict[str | None, list[Key]] = {}
    for one in map(json_object, json_list(keys)[:MOST_KEYS]):
        if one is None:
            continue
        try:
            key = import_key(one)
        except (JoseError, KeyError, TypeError, ValueError):
            continue
        named = one.get("kid")
        if one.get("use", "sig") == "sig" and not key.is_private and algorithms_of(key):
            same_name = found.setdefault(named if isinstance(named, str) else None, [])
            if all(other.thumbprint() != key.thumbprint() for other in same_name):  # one may be listed for each way
                same_name.append(key)
    return found


def _named(keys: _Keys, key_id: str | None, algorithm: str) -> Key | None:
    named = keys.by_id.values() if key_id is None else [keys.by_id.get(key_id, ())]
    fitting = [one for one in chain.from_iterable(named) if algorithm in algorithms_of(one)]
    return fitting[0] if len(fitting) == 1 else None
