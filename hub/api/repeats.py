"""Requests with an `Idempotency-Key`: carried out once, and answered the same whenever they come again."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Header
from pydantic import BaseModel

from hub import ledger
from hub.api.access import Acting
from hub.core.canonical import canonical_json, digest
from hub.core.errors import HubError
from hub.invocations.runtime import Runtime

Json = Any
"""Any JSON value."""

ModelT = TypeVar("ModelT", bound=BaseModel)

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="The same key with the same request is answered the same and carried out once: 409 while the first "
        "is under way, 422 if the key came with another request. Remembered for a week, for each caller apart.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[ModelT]):
    """What the caller is told now, and what is kept to be told again: the same without secrets.

    `about` is the invocation that it tells of, if it does.
    """

    told: ModelT
    kept: ModelT
    about: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed:
    """A request that may have come with a key; see `hub.ledger.Asked` for `is_safe_again`.

    `about` is the invocation that its answer tells of, if that is known before it is carried out.
    """

    key: str | None
    operation: str
    payload: Json
    is_safe_again: bool
    about: str | None = None

    def asked(self, acting: Acting, runtime: Runtime) -> ledger.Asked:
        """Return the request as the ledger knows it: digests, from which nobody can read what was asked."""
        caller = acting.caller
        who = {"actor": caller.actor.id, "on_behalf_of": caller.on_behalf_of.id if caller.on_behalf_of else None}
        payload = canonical_json({"operation": self.operation, "payload": self.payload})
        return ledger.Asked(
            key=digest({**who, "key": self.key}),
            payload=runtime.keys.authenticate(payload, context="keyed request"),
            is_safe_again=self.is_safe_again,
        )


async def answer_once(
    keyed: Keyed, acting: Acting, runtime: Runtime, model: type[ModelT], work: Callable[[], Awaitable[Answer[ModelT]]]
) -> ModelT:
    """Return what `work` answers, or what it answered when the same request came before with its key.

    Raises:
        HubError: whatever `work` raises; the key is free again, because nothing was done.
        IdempotencyMismatch: the key was used for another request.
        Conflict: the first request is under way, or was interrupted.
    """
    if keyed.key is None:
        return (await work()).told
    asked = keyed.asked(acting, runtime)
    async with runtime.database.transaction() as tx:
        begun = await ledger.begin(tx, asked)
    if isinstance(begun, bytes):
        return model.model_validate_json(runtime.keys.decrypt(begun, context=f"keyed request {asked.key}"))
    try:
        answer = await work()
    except HubError:
        async with runtime.database.transaction() as tx:
            await ledger.give_up(tx, asked, begun)
        raise
    kept = runtime.keys.encrypt(answer.kept.model_dump_json().encode(), context=f"keyed request {asked.key}")
    async with runtime.database.transaction() as tx:
        await ledger.finish(tx, asked, begun, kept, about=answer.about)
    return answer.told


async def answer_alike(
    keyed: Keyed, acting: Acting, runtime: Runtime, model: type[ModelT], work: Callable[[], Awaitable[ModelT]]
) -> ModelT:
    """Return the same as `answer_once`, where what is told may also be kept: there is no secret in it.

    What tells of one invocation is kept under `Keyed.about`, and is gone once its values are.

    Raises:
        HubError: everything that `answer_once` raises.
    """

    async def answer() -> Answer[ModelT]:
        told = await work()
        return Answer(told=told, kept=told, about=keyed.about)

    return await answer_once(keyed, acting, runtime, model, answer)
