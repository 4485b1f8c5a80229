"""ID tokens that an issuer has signed, or is said to have, and that are none: each is refused alike.

They are of any depth, any text and any type.
"""

import json
import time
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from fuzzing import EVERY_DAY, examples, in_form_of_a_jwt, jwt_headers
from hypothesis import given
from issuing import CLIENT, Issuing
from joserfc import jws
from test_issuer_keys import link_to

from hub.core.errors import Unauthenticated
from hub.identity.foreign_tokens import read_id_token

pytestmark = pytest.mark.anyio

GARBAGE: Final = {
    "lists in lists": b"[" * 3000,
    "objects in objects": b'{"a":' * 1000,
    "no number": b'{"iss": NaN}',
    "no text": b"\xff",
    "a word": b'"x"',
    "null": b"null",
}
CLAIMS: Final[dict[str, dict[str, Any]]] = {
    "half a character": {"sub": "\ud800"},
    "a null character": {"sub": "a\x00b"},
    "a direction": {"sub": "a\u202eb"},
    "a long subject": {"sub": "x" * 300},
    "a number": {"sub": 5},
    "an end beyond time": {"exp": 10**30},
    "an end that is none": {"exp": 1e400},
    "nonces": {"nonce": ["n"]},
    "an audience in lists": {"aud": [[CLIENT]]},
}


async def refused(issuer: Issuing, payload: bytes) -> bool:
    key = issuer.keys[-1]
    header = {"alg": "ES256", "kid": key.kid, "typ": "JWT"}
    token = jws.serialize_compact(header, payload, key, algorithms=["ES256"])
    try:
        await read_id_token(link_to(issuer), token, nonce="n", at=datetime.now(UTC))
    except Unauthenticated:
        return True
    return False


def token_with(issuer: Issuing, claims: dict[str, Any]) -> bytes:
    now = int(time.time())
    usual = {"iss": issuer.address, "aud": CLIENT, "sub": "s-1", "nonce": "n", "iat": now, "exp": now + 300}
    return json.dumps({**usual, **claims}).encode()


async def test_a_token_as_usual_is_one(issuer: Issuing) -> None:
    assert not await refused(issuer, token_with(issuer, {}))


@pytest.mark.parametrize("payload", GARBAGE.values(), ids=GARBAGE)
async def test_garbage_that_is_signed_is_no_token(issuer: Issuing, payload: bytes) -> None:
    assert await refused(issuer, payload)


@pytest.mark.parametrize("claims", CLAIMS.values(), ids=CLAIMS)
async def test_a_claim_that_could_be_nobodys_is_refused(issuer: Issuing, claims: dict[str, Any]) -> None:
    assert await refused(issuer, token_with(issuer, claims))


@given(header=jwt_headers)
@examples(EVERY_DAY)
async def test_whatever_an_issuer_is_said_to_have_signed_is_refused(issuer: Issuing, header: bytes) -> None:
    link = link_to(issuer)
    token = in_form_of_a_jwt(header, token_with(issuer, {}), b"signed")

    with pytest.raises(Unauthenticated):
        await read_id_token(link, token, nonce="n", at=datetime.now(UTC))
