"""What comes from outside, made up: messages, headers and forms of every kind, and what an answer to them never is."""

import base64
import json
import string
from collections.abc import Callable
from typing import Any, Final

import httpx2
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

Json = Any

EVERY_DAY: Final = 40
AT_LENGTH: Final = 1500
_INTERNALS: Final = ("Traceback", "site-packages", "sqlalchemy", "pydantic", '.py"', "SELECT ", "INSERT ", "aiosqlite")
"""Words that only somebody inside would use."""
_OF_HEADERS: Final = "".join(chr(one) for one in range(0x20, 0x7F)) + "\t\x80\xff"

texts: Final = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["", "\x00", "\ud800", "..", "../../etc/passwd", "' OR 1=1 --", "${x}", "%00", "a" * 5000, "null"]),
)
numbers: Final = st.one_of(
    st.integers(-3, 3), st.sampled_from([2**53, -(2**63), 2**64, 10**30, 0.5, 1e308, float("inf"), float("nan")])
)
scalars: Final = st.one_of(st.none(), st.booleans(), numbers, texts)
values: Final = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=8,
)
header_values: Final = st.text(alphabet=_OF_HEADERS, max_size=60)
names: Final = st.text(alphabet=string.ascii_letters + string.digits + "_-.", min_size=1, max_size=20)


_PARTS = st.one_of(
    values.map(lambda value: json.dumps(value).encode()),
    st.sampled_from([10, 300, 2900]).map(lambda depth: b"[" * depth),
    st.sampled_from([10, 300]).map(lambda depth: b'{"sub": ' * depth),
    st.binary(max_size=40),
)
_SAID_IN_HEADERS: Final = st.one_of(values, st.sampled_from(["ES256", "none", "JWT", "at+jwt", "dpop+jwt"]))
jwt_headers: Final = st.one_of(
    st.lists(st.sampled_from(["alg", "kid", "typ", "jwk"]), max_size=4),
    st.fixed_dictionaries(
        {"alg": _SAID_IN_HEADERS},
        optional=dict.fromkeys(("kid", "typ", "jwk", "crit", "b64", "cty"), _SAID_IN_HEADERS),
    ),
).map(lambda header: json.dumps(header).encode())
"""What begins as the header of a JWT does: it has the right words in it, and in their places anything."""


def in_form_of_a_jwt(*parts: bytes) -> str:
    """Return parts as those of a JWT are written."""
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


jwts: Final = st.tuples(st.one_of(_PARTS, jwt_headers), _PARTS, st.binary(max_size=64)).map(
    lambda parts: in_form_of_a_jwt(*parts)
)
"""What has the form of a JWT and may be nothing else."""


def examples(count: int) -> Callable[[Any], Any]:
    """Return how a test of made-up input runs: the same every time, without a limit that a busy machine breaks.

    What fails is shown as it was found: to make it smaller takes longer than everything else.
    """
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        phases=(Phase.explicit, Phase.generate),
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


def encoded(value: Json) -> bytes:
    """Return JSON as a careless client writes it: with what JSON has no word for, and with half a character."""
    return json.dumps(value).encode("utf-8", "surrogatepass")


def whole(text: str) -> str:
    """Return a text without halves of characters, which no address can hold."""
    return text.encode("utf-8", "replace").decode()


def is_sound(answer: httpx2.Response, *secrets: str) -> bool:
    """Return whether an answer is one: no failure of the hub, nothing of its inside, no secret."""
    assert answer.status_code < 500, (answer.status_code, answer.text[:500])
    shown = answer.text + str(answer.headers)
    found = [word for word in (*_INTERNALS, *secrets) if word and word in shown]
    assert not found, (found, shown[:500])
    return True
