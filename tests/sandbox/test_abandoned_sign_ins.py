"""Sign-ins that nobody waits for any more: what the system gives for them is not lost."""

import asyncio
import json
from collections.abc import Mapping

import pytest

from connectors.sdk import OnBehalfOfUser
from connectors.sdk.errors import Unavailable
from sandbox import sign_in as signing_in
from sandbox.sign_in import SignIn, Ways
from sandbox.tokens import TokenRequest

pytestmark = pytest.mark.anyio


class System:
    """A system that puts a new refresh token in the place of each that it is shown, and a vault that keeps them."""

    def __init__(self) -> None:
        self.known = ["r0"]
        self.kept = "r0"
        self.arrived, self.may_answer = asyncio.Event(), asyncio.Event()
        self.is_keeping, self.may_keep = asyncio.Event(), asyncio.Event()
        self.may_keep.set()

    def sign_in(self) -> SignIn:
        """Return a sign-in to it."""
        ways = Ways(base_url="https://a.example", post=self._post, ask=self._ask, keep=self._keep)
        return SignIn(OnBehalfOfUser(token_url="{base_url}/token"), self._secrets, ways)

    async def _secrets(self) -> Mapping[str, str]:
        return {"client_id": "hub", "client_secret": "s", "refresh_token": self.kept}

    async def _ask(self, request: TokenRequest) -> tuple[int, bytes]:
        if f"refresh_token={self.known[-1]}" not in request.body.decode():
            return 400, b'{"error": "invalid_grant"}'
        self.known.append(f"r{len(self.known)}")
        given = {"access_token": f"a{len(self.known)}", "token_type": "Bearer", "refresh_token": self.known[-1]}
        self.arrived.set()
        await self.may_answer.wait()
        return 200, json.dumps(given).encode()

    async def _keep(self, _old: str, new: str) -> None:
        self.is_keeping.set()
        await self.may_keep.wait()
        self.kept = new

    async def _post(self, _path: str, _body: bytes) -> bytes:
        raise AssertionError


async def abandoned(sign_in: SignIn, at: asyncio.Event) -> None:
    """Wait for a proof until `at`, and no longer: the agent has gone, or its deadline has passed."""
    call = asyncio.create_task(sign_in.proof())
    await at.wait()
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert call.cancelled()


async def test_a_call_that_is_cancelled_while_a_token_is_renewed_loses_no_token() -> None:
    system = System()
    sign_in = system.sign_in()
    await abandoned(sign_in, system.arrived)

    system.may_answer.set()
    proof = await sign_in.proof()

    assert proof.headers["authorization"] == "Bearer a2"
    assert system.known == ["r0", "r1"]
    assert system.kept == "r1"


async def test_a_call_that_is_cancelled_while_a_token_is_kept_loses_no_token() -> None:
    system = System()
    system.may_answer.set()
    system.may_keep.clear()
    sign_in = system.sign_in()
    await abandoned(sign_in, system.is_keeping)

    system.may_keep.set()
    await sign_in.close()

    assert system.kept == "r1"


async def test_a_sign_in_that_is_closed_keeps_what_it_has_asked_for() -> None:
    system = System()
    sign_in = system.sign_in()
    await abandoned(sign_in, system.arrived)

    closing = asyncio.create_task(sign_in.close())
    system.may_answer.set()
    await closing

    assert system.kept == "r1"


async def test_a_sign_in_that_is_closed_waits_no_longer_than_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing_in, "_CLOSING_SECONDS", 0.0)
    system = System()
    sign_in = system.sign_in()
    await abandoned(sign_in, system.arrived)

    await sign_in.close()

    assert sign_in._making is None
    assert system.kept == "r0"


async def test_a_system_that_never_answers_is_asked_again_by_whoever_comes_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(signing_in, "ANSWER_SECONDS", 0.0)
    system = System()
    sign_in = system.sign_in()
    with pytest.raises(Unavailable, match="did not let the hub in"):
        await sign_in.proof()
    monkeypatch.undo()

    system.known, system.kept = ["r9"], "r9"
    system.may_answer.set()

    assert (await sign_in.proof()).headers["authorization"] == "Bearer a2"


async def test_all_who_wait_for_a_token_wait_for_the_same() -> None:
    system = System()
    sign_in = system.sign_in()
    calls = [asyncio.create_task(sign_in.proof()) for _ in range(3)]
    await system.arrived.wait()
    system.may_answer.set()

    proofs = await asyncio.gather(*calls)

    assert len(set(map(id, proofs))) == 1
    assert system.known == ["r0", "r1"]
