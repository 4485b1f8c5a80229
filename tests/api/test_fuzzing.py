"""Requests made up from the API's own description: every answer is sound, and tells nothing of the inside."""

from types import SimpleNamespace
from typing import Any, Final, cast

import anyio
import pytest
import schemathesis
from doors.people import LogIn
from doors.working_hub import PUBLIC_URL
from fuzzing import examples, is_sound
from hypothesis import given
from hypothesis import strategies as st

from hub.api import create_api
from hub.invocations.runtime import Runtime

Json = Any

pytestmark = pytest.mark.anyio

EVERY_DAY: Final = 60
AT_LENGTH: Final = 1000
LONGEST_SECONDS: Final = 120
_LEFT_OUT: Final = frozenset({("/session", "delete"), ("/session", "post")})
"""What would end the session that all this is sent in."""


def _requests() -> st.SearchStrategy[Any]:
    """Return requests of all operations; the description depends on nothing of a hub but its address."""
    described = create_api(cast("Runtime", SimpleNamespace(public_url=PUBLIC_URL))).openapi()
    operations = [one.ok() for one in schemathesis.openapi.from_dict(described).get_all_operations()]
    wanted = [one for one in operations if (one.path, one.method.lower()) not in _LEFT_OUT]
    return st.one_of([one.as_strategy() for one in wanted])


CASES: Final = st.deferred(_requests)
"""Made when the first one is drawn, for that takes seconds."""


async def _answered(log_in: LogIn, case: Json) -> None:
    person = await log_in("administrator")
    sent = case.as_transport_kwargs(base_url=f"{PUBLIC_URL}/api/v1")
    made = {str(name): str(value) for name, value in (sent.get("headers") or {}).items()}
    body = {name: sent[name] for name in ("json", "data", "content") if sent.get(name) is not None}
    headers = {name: value for name, value in made.items() if value.isascii() and name.lower() != "cookie"}
    with anyio.fail_after(LONGEST_SECONDS):
        answer = await person.http.request(
            sent["method"], sent["url"], params=sent.get("params"), headers={**headers, **person.headers}, **body
        )
    assert is_sound(answer, person.cookie)


@given(case=CASES)
@examples(EVERY_DAY)
async def test_whatever_the_description_allows_is_answered(log_in: LogIn, case: Json) -> None:
    await _answered(log_in, case)


@pytest.mark.more
@given(case=CASES)
@examples(AT_LENGTH)
async def test_whatever_the_description_allows_is_answered_for_longer(log_in: LogIn, case: Json) -> None:
    await _answered(log_in, case)
