"""What a federated server asks the client of a task: told, replied to and gone on with, at whichever process."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any, Final

import pytest
from doors.agents import BOTH_ENGINES, open_door
from doors.asked_later import (
    ANN,
    EVERY_KIND,
    HIDE,
    Desk,
    decide_by,
    desk,
    filled,
    kept,
    left,
    let_pass,
    mark_personal,
    reader,
    reads,
)
from doors.askers import BREAKS, GREETS, LACKS, ROUNDS, SEVERAL, token_for
from doors.outside import entered, served
from doors.tasking import Hearing, invocation_of, listen_to, start
from doors.working_hub import WorkingHub
from mcp.client.context import ClientRequestContext
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    ElicitRequestParams,
    ElicitResult,
)
from sqlalchemy import select, update

from connectors.sdk.vocabulary import Effect
from hub.invocations.emptying import empty
from hub.invocations.envelope import outward
from hub.invocations.late_questions import MOST_ROUNDS, forget_questions
from hub.invocations.queries import current
from hub.invocations.tables import LateQuestionsRow

Json = Any

pytestmark = pytest.mark.anyio

HELLO: Final = {"role": "assistant", "content": {"type": "text", "text": "Hello"}, "model": "m"}
"""What a model said."""


@pytest.fixture
async def token(hub: WorkingHub, asker: str) -> str:
    """A token for an agent that may read from the server that asks."""
    return await token_for(hub, asker, "reader", connect=True)


@BOTH_ENGINES
async def test_a_task_asks_round_by_round_and_goes_on_with_the_replies_at_any_process(
    hub: WorkingHub, token: str
) -> None:
    async with desk(hub, token) as one, desk(hub, token) as other:
        task = await one.start(ROUNDS)
        first = await other.until(task, "input_required")
        acknowledged = await other.update(task, step1_1=ANN)
        second = await one.until(task, "input_required")
        await one.update(task, step2_2=filled(color="blue"))
        done = await other.until(task, "completed")

    assert first["inputRequests"].keys() == {"step1-1"}
    params = first["inputRequests"]["step1-1"]["params"]
    assert params["message"].startswith(f"asker asks, through the tool {ROUNDS}: Step 1")
    assert first["statusMessage"].startswith("asker asks; reply until ")
    assert acknowledged["result"].keys() == {"resultType", "_meta"}
    assert second["inputRequests"].keys() == {"step2-2"}
    assert (second["taskId"], second["createdAt"]) == (first["taskId"], first["createdAt"])
    assert done["result"]["content"][0]["text"] == "Ann likes blue."
    assert await reads(hub) == [("FAILED", "input_required"), ("FAILED", "input_required"), ("SUCCEEDED", None)]
    assert await left(hub) == 0


@BOTH_ENGINES
async def test_some_replies_may_come_before_the_others_and_the_first_to_each_counts(
    hub: WorkingHub, token: str
) -> None:
    async with desk(hub, token, can=EVERY_KIND) as client:
        task = await client.start(SEVERAL)
        whole = await client.until(task, "input_required")
        await client.update(task, user_name_1=ANN, unknown_1={"ignored": True})
        rest = await client.look(task)
        await client.update(task, user_name_1=filled(name="Bob"))
        name = (await kept(hub, task)).replies["user_name"]["content"]["name"]
        await client.update(task, greeting_1=HELLO, client_roots_1={"roots": []})
        done = await client.until(task, "completed")

    assert whole["inputRequests"].keys() == {"user_name-1", "greeting-1", "client_roots-1"}
    assert rest["status"] == "input_required"
    assert rest["inputRequests"].keys() == {"greeting-1", "client_roots-1"}
    assert name == "Ann"
    assert done["result"]["content"][0]["text"] == "Everything was answered."


@BOTH_ENGINES
async def test_of_replies_that_race_one_counts_and_one_round_is_made(hub: WorkingHub, token: str) -> None:
    async with desk(hub, token) as one, desk(hub, token) as other:
        task = await one.start(GREETS)
        await one.until(task, "input_required")
        racing = (one.update(task, user_name_1=ANN), other.update(task, user_name_1=filled(name="Bob")))
        answers = await asyncio.gather(*racing, one.look(task), other.look(task))
        done = await other.until(task, "completed")

    assert [answer["result"]["resultType"] for answer in answers[:2]] == ["complete"] * 2
    assert done["result"]["content"][0]["text"] in {"Hello, Ann!", "Hello, Bob!"}
    assert len(await reads(hub)) == 2


async def test_a_decline_is_a_reply_and_one_that_comes_late_answers_nothing_that_is_asked_next(
    hub: WorkingHub, token: str
) -> None:
    async with desk(hub, token) as client:
        task = await client.start(GREETS)
        again = first = await client.until(task, "input_required")
        assert first["inputRequests"].keys() == {"user_name-1"}
        await client.update(task, user_name_1={"action": "decline"})
        while again["inputRequests"].keys() == first["inputRequests"].keys():
            again = await client.until(task, "input_required")
        await client.update(task, user_name_1=ANN)
        still = await client.look(task)
        await client.update(task, user_name_2=filled(name="Bob"))
        done = await client.until(task, "completed")

    assert still["inputRequests"].keys() == {"user_name-2"}
    assert done["result"]["content"][0]["text"] == "Hello, Bob!"


async def test_what_is_no_reply_is_refused_and_nothing_that_came_with_it_is_kept(hub: WorkingHub, token: str) -> None:
    async with desk(hub, token, can=EVERY_KIND) as client:
        task = await client.start(SEVERAL)
        await client.until(task, "input_required")
        refused = await client.update(task, user_name_1=ANN, greeting_1={"action": "accept"})
        still = await client.look(task)

    assert refused["error"]["code"] == INVALID_PARAMS
    assert "greeting-1" in refused["error"]["message"]
    assert len(still["inputRequests"]) == 3


async def test_nobody_else_can_reply(hub: WorkingHub, asker: str, token: str) -> None:
    other = await token_for(hub, asker, "stranger")
    async with desk(hub, token) as client:
        task = await client.start(GREETS)
        await client.until(task, "input_required")
        refused = await Desk(client.http, other).update(task, user_name_1=ANN)
        still = await client.look(task)

    assert refused["error"]["code"] == INVALID_PARAMS
    assert still["status"] == "input_required"


async def test_who_replies_without_the_scope_of_the_tool_is_told_which_and_the_task_stays_open(
    hub: WorkingHub, token: str
) -> None:
    narrow = await hub.token(of=(await reader(hub)).actor, granted=frozenset({"upstream:read"}))
    async with desk(hub, token) as client:
        task = await client.start(GREETS)
        await client.until(task, "input_required")
        refused = await Desk(client.http, narrow).update(task, user_name_1=ANN)
        still = await client.look(task)
        await client.update(task, user_name_1=ANN)
        done = await client.until(task, "completed")

    assert (refused["error"]["data"]["error"], refused["error"]["data"]["scope"]) == (
        "insufficient_scope",
        "asker:read",
    )
    assert still["status"] == "input_required"
    assert "isError" not in done["result"] or not done["result"]["isError"]


async def test_who_says_at_the_moment_that_it_cannot_be_asked_is_told_so_and_nothing_ends(
    hub: WorkingHub, token: str
) -> None:
    async with desk(hub, token) as client:
        task = await client.start(GREETS)
        await client.until(task, "input_required")
        told = await Desk(client.http, client.token, {}).look(task)
        still = await client.look(task)

    assert (told["status"], told.get("inputRequests")) == ("working", None)
    assert "asker asks what this client says it cannot be asked" in told["statusMessage"]
    assert still["status"] == "input_required"


async def test_who_declared_when_it_called_that_it_cannot_be_asked_is_never_asked(hub: WorkingHub, token: str) -> None:
    async with desk(hub, token, can={}) as client:
        task = await client.start(GREETS)
        told = await client.until(task, "completed")
        still = await Desk(client.http, client.token).look(task)

    assert told["result"]["isError"]
    assert told["result"]["structuredContent"]["reason_code"] == "input_required"
    assert still["status"] == "completed"


async def test_nobody_is_asked_from_whom_policy_hides_something_of_the_tool(hub: WorkingHub, token: str) -> None:
    await mark_personal(hub, GREETS)
    async with desk(hub, token) as client:
        task = await client.start(GREETS)
        await client.until(task, "input_required")
        await decide_by(hub, HIDE)
        told = await client.look(task)
        await client.update(task, user_name_1=ANN)
        late = await kept(hub, task)

    assert told["status"] == "completed"
    assert "What is your name" not in str(told)
    assert late.replies == {}


async def test_a_cancelled_task_asks_no_more_and_what_was_asked_and_replied_is_gone(
    hub: WorkingHub, token: str
) -> None:
    async with desk(hub, token, can=EVERY_KIND) as client:
        task = await client.start(SEVERAL)
        await client.until(task, "input_required")
        await client.update(task, user_name_1=ANN)
        await client.cancel(task)
        told = await client.look(task)
        gone = await left(hub)
        await client.update(task, greeting_1=HELLO, client_roots_1={"roots": []})
        still = await client.look(task)

    assert (told["status"], told["statusMessage"]) == ("cancelled", "Its client cancelled the task.")
    assert gone == 0
    assert still == told
    assert len(await reads(hub)) == 1


async def test_what_nobody_replies_to_in_time_is_over_and_swept_away(hub: WorkingHub, token: str) -> None:
    async with desk(hub, token) as client:
        task = await client.start(GREETS)
        await client.until(task, "input_required")
        await let_pass(hub, "until")
        told = await client.look(task)
        await client.update(task, user_name_1=ANN)
        still = await client.look(task)
    async with hub.database.transaction() as tx:
        await forget_questions(tx)

    assert (told["status"], still["status"]) == ("completed", "completed")
    assert told["result"]["isError"]
    assert len(await reads(hub)) == 1
    assert await left(hub) == 0


async def test_what_was_asked_and_replied_is_encrypted_and_goes_when_its_read_is_emptied(
    hub: WorkingHub, token: str
) -> None:
    async with desk(hub, token, can=EVERY_KIND) as client:
        task = await client.start(SEVERAL)
        await client.until(task, "input_required")
        await client.update(task, user_name_1=ANN)
        async with hub.database.transaction() as tx:
            found = (await tx.scalars(select(LateQuestionsRow.kept))).one()
            await empty(tx, hub.runtime.keys, [await invocation_of(hub, task)])
        told = await client.look(task)

    assert b"Ann" not in found
    assert b"What is your name" not in found
    assert await left(hub) == 0
    assert told["status"] == "completed"


async def test_a_server_may_ask_late_so_often_and_no_more(hub: WorkingHub, token: str) -> None:
    async with desk(hub, token) as client:
        task, rounds = await client.start(GREETS), set[str]()
        while (told := await client.look(task))["status"] != "completed":
            for key in told.get("inputRequests", {}):
                rounds.add(key)
                await client.update(task, **{key.replace("-", "_"): {"action": "decline"}})

    assert rounds == {f"user_name-{number}" for number in range(1, MOST_ROUNDS + 1)}
    assert told["result"]["structuredContent"]["reason_code"] == "input_required"


async def test_replies_go_nowhere_but_where_the_questions_came_from(hub: WorkingHub, token: str) -> None:
    async with desk(hub, token) as client:
        task = await client.start(GREETS)
        await client.until(task, "input_required")
        async with hub.database.transaction() as tx:
            await tx.execute(update(LateQuestionsRow).values(connection_id=hub.connection.id))
        await client.update(task, user_name_1=ANN)
        told = await client.until(task, "completed")

    assert told["result"]["structuredContent"]["status"] == "refused"
    assert "make the call again" in told["statusMessage"]
    assert len(await reads(hub)) == 1


async def test_each_round_is_decided_on_and_what_policy_refuses_then_is_the_end_of_the_task(
    hub: WorkingHub, token: str
) -> None:
    async with desk(hub, token) as client:
        task = await client.start(GREETS)
        await client.until(task, "input_required")
        await decide_by(hub, '@id("stop") forbid (principal is Agent, action == Action::"propose", resource);')
        await client.update(task, user_name_1=ANN)
        told = await client.until(task, "completed")

    assert told["result"]["isError"]
    assert (await reads(hub))[1][0] == "DENIED"


async def test_a_call_through_the_tool_that_calls_others_is_asked_late_like_any_other(
    hub: WorkingHub, token: str
) -> None:
    async with desk(hub, token) as client:
        made = await client.call("hub_call_tool", name=GREETS, arguments={})
        task = made["result"]["taskId"]
        await client.until(task, "input_required")
        await client.update(task, user_name_1=ANN)
        done = await client.until(task, "completed")

    assert done["result"]["content"][0]["text"] == "Hello, Ann!"


async def test_a_stream_tells_of_a_task_through_all_its_rounds(
    hub: WorkingHub, token: str, impatient_address: str
) -> None:
    hearing = Hearing()
    async with (
        entered(impatient_address, token, extensions=[hearing], elicitation_callback=nobody) as client,
        desk(hub, token) as replying,
    ):
        task = await start(client, ROUNDS, {})
        stream = asyncio.create_task(listen_to(client, task.task_id))
        await hearing.until("input_required")
        await replying.update(task.task_id, step1_1=ANN)
        await replying.until(task.task_id, "input_required")
        while "step2-2" not in (await replying.until(task.task_id, "input_required"))["inputRequests"]:
            pass
        await replying.update(task.task_id, step2_2=filled(color="blue"))
        await hearing.until("completed")
        stream.cancel()
        await asyncio.gather(stream, return_exceptions=True)

    assert {one for one, _ in hearing.told} == {task.task_id}


@pytest.fixture
async def impatient_address(hub: WorkingHub) -> AsyncGenerator[str]:
    """Where every read takes long enough to become a task."""
    async with open_door(replace(hub.runtime, answer_seconds=0)) as door, served(door) as address:
        yield address


async def nobody(_context: ClientRequestContext, _params: ElicitRequestParams) -> ElicitResult:
    """Stand for a person who could be asked, and is asked by the tasks alone."""
    return ElicitResult(action="cancel")


async def test_a_read_whose_system_answers_with_an_error_of_the_protocol_is_a_failed_task(
    hub: WorkingHub, token: str
) -> None:
    async with desk(hub, token) as client:
        failed = await client.until(await client.start(BREAKS), "failed")
        found = await current(hub.runtime, await invocation_of(hub, failed["taskId"]))
        lacking = await Desk(client.http, client.token, {}).until(await client.start(LACKS), "failed")

    assert failed["error"]["code"] == INTERNAL_ERROR
    assert "The job has broken" in failed["error"]["message"]
    assert failed["statusMessage"] == failed["error"]["message"]
    assert not failed.keys() & {"result", "inputRequests"}
    assert lacking["error"]["code"] == MISSING_REQUIRED_CLIENT_CAPABILITY
    assert (outward(found).task, outward(replace(found, effect=Effect.UPDATE)).task) == ("failed", "completed")


async def test_to_clients_that_know_no_tasks_the_same_error_is_a_result(hub: WorkingHub, token: str) -> None:
    async with desk(hub, token, patience=60) as client:
        told = await replace(client, knows_tasks=False).call(BREAKS)
        at_once = await client.call(BREAKS)

    assert told["result"]["isError"]
    assert at_once["result"]["isError"]  # nobody had to wait for it, so it never was a task
    assert told["result"]["structuredContent"]["status"] == "failed"
