"""What the resources do: accounts, agents, the registry, calls, votes, the log."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest
from doors.agents import BOTH_ENGINES
from doors.people import LogIn, is_problem
from doors.working_hub import PUBLIC_URL, WorkingHub
from sqlalchemy import update
from upstream import misbehaving
from upstream.connector import connector

from hub import audit
from hub.identity.resources import API as API_SERVER
from hub.identity.tables import SessionRow
from hub.invocations.invoke import invoke
from hub.invocations.values import Call
from hub.storage import now

pytestmark = pytest.mark.anyio


async def propose(hub: WorkingHub, tool: str, **arguments: Any) -> str:  # noqa: ANN401  # arguments of any kind
    """Let the agent propose a write, and return its id."""
    call = Call(caller=hub.caller, server="everything", tool=tool, arguments=arguments, trace_id="0" * 32)
    return (await invoke(call, hub.runtime)).id


async def test_an_agent_is_allowed_only_servers_that_there_are(hub: WorkingHub, log_in: LogIn) -> None:
    administrator = await log_in("administrator")
    bot = {"name": "bot", "display_name": "Bot", "owner_id": hub.people["owner"].id, "allowed_servers": ["sails"]}

    made = await administrator.send("POST", "/agents", bot)
    limited = await administrator.send("PUT", f"/agents/{hub.agent.id}/limits", {"allowed_servers": ["sails"]})

    for answer in (made, limited):
        assert answer.status_code == 400
        assert "There is no server 'sails'" in answer.json()["detail"]


@BOTH_ENGINES
async def test_an_administrator_makes_people_and_agents(hub: WorkingHub, log_in: LogIn) -> None:
    administrator = await log_in("administrator")

    group = await administrator.send("PUT", "/groups/finance", {"title": "Finance"})
    made = await administrator.send(
        "POST",
        "/users",
        {"name": "ada", "display_name": "Ada", "groups": ["finance"]},
    )
    ada = made.json()["id"]
    moved = await administrator.send("PUT", f"/users/{ada}/groups", {"groups": ["finance", "approvers"]})
    agent = await administrator.send(
        "POST",
        "/agents",
        {
            "name": "bot",
            "display_name": "Bot",
            "owner_id": ada,
            "allowed_scopes": ["upstream:read"],
            "allowed_servers": ["everything"],
            "redirect_uris": ["http://127.0.0.1/callback"],
        },
    )
    shown = await administrator.get(f"/agents/{agent.json()['agent']['id']}")
    taken = await administrator.send("POST", "/users", {"name": "ada", "display_name": "Ada"})
    again = await administrator.send("POST", f"/users/{ada}/invitation")

    assert group.json() == {"name": "finance", "title": "Finance"}
    assert (made.status_code, again.status_code) == (201, 201)
    assert made.json()["invitation"]["link"].startswith(f"{PUBLIC_URL}/invitation/ivt_")
    assert made.json()["invitation"]["link"] != again.json()["link"]
    assert moved.json()["groups"] == ["approvers", "finance"]
    assert agent.json()["secret"]["client_secret"]
    assert "secret" not in shown.text  # it was shown once
    assert is_problem(taken, 409, "conflict")
    async with hub.database.reading() as tx:
        kinds = {event.kind for event in await audit.events_of(tx, ada)}
    assert audit.EventKind.ACCOUNT_CREATED in kinds


async def test_the_last_administrator_stays_one(hub: WorkingHub, log_in: LogIn) -> None:
    administrator = await log_in("administrator")
    path = f"/users/{hub.people['administrator'].id}"

    assert is_problem(await administrator.send("PUT", f"{path}/roles", {"roles": []}), 409, "conflict")
    assert is_problem(await administrator.send("PUT", f"{path}/suspension", {"reason": "x"}), 409, "conflict")


async def test_the_catalog_is_listed_searched_and_shown(log_in: LogIn) -> None:
    member = await log_in("requester")

    listed = (await member.get("/tools", limit=3)).json()
    rest = (await member.get("/tools", limit=50, cursor=listed["next_cursor"])).json()
    found = (await member.get("/tools", query="ticket")).json()
    one = (await member.get("/tools/item_update")).json()
    unknown = await member.get("/tools/no_such_tool")

    assert [tool["name"] for tool in listed["items"]] == ["item_delete", "item_find", "item_get"]
    assert [tool["name"] for tool in rest["items"]] == ["item_put", "item_update", "note_post", "ticket_create"]
    assert found["items"][0]["name"] == "ticket_create"
    assert (one["tier"], one["effect"], one["needed_scopes"]) == ("medium", "update", ["upstream:write"])
    assert is_problem(unknown, 404, "not_found")


async def test_a_tool_is_shown_with_its_badge_as_long_as_it_is_what_was_checked(log_in: LogIn) -> None:
    administrator, member = await log_in("administrator"), await log_in("requester")
    checked = (await member.get("/tools/item_update")).json()["badge"]
    unchecked = (await member.get("/tools/item_find")).json()["badge"]
    spec = connector.spec.model_dump(mode="json")
    (update,) = (one for one in spec["operations"] if one["name"] == "item_update")
    update["description"] = "Change an item, somehow."

    released = await administrator.send("POST", "/connectors", {"spec": spec})
    stale = (await member.get("/tools/item_update")).json()["badge"]
    (listed,) = (await member.get("/connectors")).json()["items"]

    assert unchecked is None
    assert (checked["system"], checked["is_clean"]) == ("a system for tests", True)
    assert checked["lines"] == [
        {
            "operation": "item_update",
            "promise": "undo",
            "title": "undo restores, and leaves exactly what was declared",
            "verdict": "passed",
            "grade": "live",
            "reason": "By everything the system holds.",
        }
    ]
    assert released.status_code == 201, released.text
    assert stale is None
    assert [line["operation"] for line in listed["badge"]["lines"]] == ["item_put"]


async def test_an_owner_registers_what_the_code_itself_says_and_nothing_else(hub: WorkingHub, log_in: LogIn) -> None:
    administrator, owner = await log_in("administrator"), await log_in("owner")
    declared = misbehaving.connector.spec.model_dump(mode="json")
    milder = {**declared, "safe": [{"method": "POST"}]}
    absent = {**declared, "entry": "no_such_package:connector"}
    first = {"spec": {**declared, "operations": []}, "owner_id": hub.people["owner"].id}

    made = await administrator.send("POST", "/connectors", first)
    refused = [await owner.send("POST", "/connectors", {"spec": spec}) for spec in (milder, absent)]
    taken = await owner.send("POST", "/connectors", {"spec": declared})

    assert made.status_code == 201, made.text
    assert all(is_problem(answer, 403, "forbidden") for answer in refused)
    assert "declares something else, in '/safe'" in refused[0].json()["detail"]
    assert "there is no code of no_such_package" in refused[1].json()["detail"]
    assert taken.status_code == 201, taken.text
    assert len(taken.json()["new_versions"]) == len(declared["operations"])


async def test_a_badge_cannot_be_sent_in(log_in: LogIn) -> None:
    """Not by an administrator either: what lets writes go by themselves comes from where the kit has run."""
    administrator, member = await log_in("administrator"), await log_in("requester")
    badge = (await member.get("/tools/item_update")).json()["badge"]

    answers = [
        await administrator.send(method, f"/connectors/upstream{path}", body)
        for method in ("PUT", "POST", "PATCH")
        for path, body in (("/badge", badge), ("", {"badge": badge}))
    ]
    beside = {"spec": connector.spec.model_dump(mode="json"), "badge": badge}
    smuggled = await administrator.send("POST", "/connectors", beside)

    assert {answer.status_code for answer in answers} <= {404, 405}
    assert smuggled.status_code in {400, 422}


@BOTH_ENGINES
async def test_the_registry_is_run_through_the_api(hub: WorkingHub, log_in: LogIn) -> None:
    administrator, member = await log_in("administrator"), await log_in("requester")

    made = await administrator.send(
        "POST",
        "/connections",
        {
            "name": "second",
            "connector": "upstream",
            "base_url": hub.upstream.base_url,
            "prefix": "second_",
            "secret": {"token": hub.upstream.token},
        },
    )
    connection = made.json()
    server = await administrator.send("POST", "/servers", {"name": "sales", "title": "Sales"})
    tool = (await member.get("/tools/second_item_get")).json()
    offered = await administrator.send(
        "POST", "/servers/sales/tools", {"tool_id": tool["tool_id"], "connection_id": connection["id"]}
    )
    changed = await administrator.send(
        "PATCH", f"/connections/{connection['id']}", {"settings": {"limits": {"calls_at_once": 3}}}
    )
    called = await member.send("POST", "/invocations", {"tool": "second_item_get", "arguments": {"id": 1}})
    disabled = await administrator.send("PUT", f"/connections/{connection['id']}/suspension", {"reason": "pause"})
    refused = await member.send("POST", "/invocations", {"tool": "second_item_get", "arguments": {"id": 1}})

    assert made.status_code == 201
    assert [made.json()["limits"]["calls_at_once"], changed.json()["limits"]["calls_at_once"]] == [16, 3]
    assert hub.upstream.token not in made.text
    assert server.json()["mcp_url"] == f"{PUBLIC_URL}/servers/sales/mcp"
    assert offered.json() == {"server": "sales", "name": "item_get"}
    assert changed.json()["generation"] > connection["generation"]
    assert called.json()["result"]["name"] == "pencil"
    assert disabled.json()["is_enabled"] is False
    assert is_problem(refused, 503, "unavailable")


async def test_connections_are_shown_to_their_owners_and_who_runs_the_hub(log_in: LogIn) -> None:
    shown = {
        name: len((await (await log_in(name)).get("/connections")).json()["items"])
        for name in ("owner", "administrator", "operator", "requester", "auditor")
    }

    assert shown == {"owner": 1, "administrator": 1, "operator": 1, "requester": 0, "auditor": 0}


@BOTH_ENGINES
async def test_a_member_tries_reads_and_proposes_no_writes(hub: WorkingHub, log_in: LogIn) -> None:
    member = await log_in("requester")

    read = await member.send("POST", "/invocations", {"tool": "item_get", "arguments": {"id": 1}})
    write = await member.send("POST", "/invocations", {"tool": "item_put", "arguments": {"id": 2}})
    broken = await member.send("POST", "/invocations", {"tool": "item_get", "arguments": {"id": 0}})
    mine = await member.get("/invocations")

    assert read.status_code == 201
    assert (read.json()["status"], read.json()["result"]["name"]) == ("done", "pencil")
    assert is_problem(write, 403, "forbidden")
    assert is_problem(broken, 422, "arguments_invalid")
    assert broken.json()["violations"][0]["pointer"] == "/id"
    assert [one["id"] for one in mine.json()["items"]] == [read.json()["id"]]
    assert hub.upstream.store.effects() == []


async def test_an_idempotency_key_makes_a_call_once(hub: WorkingHub, log_in: LogIn) -> None:
    script = await hub.make_agent("script", servers=frozenset({API_SERVER, "everything"}))
    person = await log_in("nobody")
    headers = {"Authorization": f"Bearer {await hub.token(of=script, server=API_SERVER)}", "Idempotency-Key": "k1"}

    async def create(title: str) -> httpx2.Response:
        body = {"tool": "ticket_create", "arguments": {"title": title}}
        return await person.http.post("/api/v1/invocations", json=body, headers=headers)

    first, again, other = await create("x"), await create("x"), await create("y")

    assert first.json()["status"] == "pending_approval"
    assert (again.json()["id"], again.json()["repeats"]) == (first.json()["id"], True)
    assert is_problem(other, 422, "idempotency_mismatch")


@BOTH_ENGINES
async def test_a_scripted_approver_reads_the_inbox_and_decides(hub: WorkingHub, log_in: LogIn) -> None:
    asked = await propose(hub, "item_delete", id=1)
    approver, requester = await log_in("approver"), await log_in("requester")

    inbox = (await approver.get("/approvals")).json()["items"]
    card = (await approver.get(f"/approvals/{asked}")).json()
    looked_on = await requester.get(f"/approvals/{asked}")
    own = await requester.send("POST", f"/approvals/{asked}/votes", {"digest": card["digest"], "choice": "approve"})
    outdated = await approver.send("POST", f"/approvals/{asked}/votes", {"digest": "0" * 64, "choice": "approve"})
    voted = await approver.send("POST", f"/approvals/{asked}/votes", {"digest": card["digest"], "choice": "approve"})
    twice = await approver.send("POST", f"/approvals/{asked}/votes", {"digest": card["digest"], "choice": "approve"})
    await hub.let_the_worker_work()
    done = (await requester.get(f"/invocations/{asked}")).json()
    timeline = (await requester.get(f"/invocations/{asked}/timeline")).json()["items"]

    assert [one["invocation_id"] for one in inbox] == [asked]
    assert card["preview"]["changes"][0]["before"]["name"] == "pencil"
    assert card["missing"] == {"approvers": 1}
    assert card["may_vote"] is True
    assert looked_on.json()["may_vote"] is False
    assert is_problem(own, 403, "forbidden")
    assert is_problem(outdated, 409, "changed_since_seen")
    assert (voted.status_code, voted.json()["state"]) == (201, "APPROVED")
    assert is_problem(twice, 409, "conflict")
    assert done["status"] == "done"
    assert timeline[0]["kind"] == "invocation.received"
    assert {"vote.refused", "vote.cast", "commit.sent", "commit.committed"} <= {event["kind"] for event in timeline}
    assert len(hub.upstream.store.effects()) == 1


async def test_a_rejection_needs_a_reason_and_hands_it_back(hub: WorkingHub, log_in: LogIn) -> None:
    asked = await propose(hub, "item_delete", id=1)
    approver, requester = await log_in("approver"), await log_in("requester")
    digest = (await approver.get(f"/approvals/{asked}")).json()["digest"]

    silent = await approver.send("POST", f"/approvals/{asked}/votes", {"digest": digest, "choice": "reject"})
    said = await approver.send(
        "POST", f"/approvals/{asked}/votes", {"digest": digest, "choice": "reject", "reason": "still needed"}
    )

    assert is_problem(silent, 400, "input_invalid")
    assert said.json()["status"] == "rejected"
    assert (await requester.get(f"/invocations/{asked}")).json()["reason"] == "still needed"


async def test_a_critical_vote_needs_a_fresh_login(hub: WorkingHub, log_in: LogIn) -> None:
    async with hub.database.reading() as tx:
        tool = await hub.tool(tx, "item_delete")
    administrator = await log_in("administrator")
    raised = await administrator.send("PUT", f"/tools/{tool.id}/tier", {"tier": "critical"})
    asked = await propose(hub, "item_delete", id=1)
    approver, controller = await log_in("approver"), await log_in("controller")
    card = (await approver.get(f"/approvals/{asked}")).json()
    ballot = {"digest": card["digest"], "choice": "approve"}
    async with hub.database.transaction() as tx:
        await tx.execute(update(SessionRow).values(authenticated_at=await now(tx) - timedelta(minutes=11)))

    stale = await approver.send("POST", f"/approvals/{asked}/votes", ballot)
    fresh = await (await log_in("approver")).send("POST", f"/approvals/{asked}/votes", ballot)
    also_stale = await controller.send("POST", f"/approvals/{asked}/votes", ballot)
    both = await (await log_in("controller")).send("POST", f"/approvals/{asked}/votes", ballot)

    assert raised.json()["owner_tier"] == "critical"
    assert card["missing"] == {"approvers": 1, "controllers": 1}
    assert is_problem(stale, 403, "fresh_login_needed")
    assert fresh.json()["state"] == "AWAITING_APPROVAL"
    assert is_problem(also_stale, 403, "fresh_login_needed")
    assert both.json()["state"] == "APPROVED"


async def test_looking_decides_nothing(hub: WorkingHub, log_in: LogIn) -> None:
    asked = await propose(hub, "item_delete", id=1)
    approver = await log_in("approver")

    await approver.get(f"/approvals/{asked}", choice="approve")
    decided = await approver.get(f"/approvals/{asked}/votes")

    assert is_problem(decided, 405, "method_not_allowed")
    assert (await approver.get(f"/approvals/{asked}")).json()["is_open"] is True


async def test_a_question_is_nobodys_business_who_is_not_asked(hub: WorkingHub, log_in: LogIn) -> None:
    asked = await propose(hub, "item_delete", id=1)
    controller = await log_in("controller")

    looked = await controller.get(f"/approvals/{asked}")
    voted = await controller.send("POST", f"/approvals/{asked}/votes", {"digest": "0" * 64, "choice": "approve"})
    traced = await controller.get(f"/invocations/{asked}/timeline")

    for response in (looked, voted, traced):
        assert is_problem(response, 404, "not_found")


@BOTH_ENGINES
async def test_the_auditor_pages_through_the_log_and_keeps_a_checkpoint(hub: WorkingHub, log_in: LogIn) -> None:
    await propose(hub, "item_update", id=1, quantity=7)
    await audit.sequence(hub.database, hub.runtime.keys)
    auditor = await log_in("auditor")

    page = (await auditor.get("/audit/events", limit=2)).json()
    rest = (await auditor.get("/audit/events", limit=200, cursor=page["next_cursor"])).json()
    sent = (await auditor.get("/audit/events", kind="commit.sent")).json()
    mixed = await auditor.get("/audit/events", kind="commit.sent", cursor=page["next_cursor"])
    checkpoint = (await auditor.get("/audit/checkpoint")).json()

    ids = [event["id"] for event in [*page["items"], *rest["items"]]]
    assert len(ids) == len(set(ids)) == checkpoint["size"]
    assert [event["kind"] for event in sent["items"]] == ["commit.sent"]
    assert is_problem(mixed, 400, "malformed")
    assert checkpoint["note"].startswith("toolhub/")


@BOTH_ENGINES
async def test_an_export_verifies_without_the_hub_and_says_where_it_was_changed(hub: WorkingHub, log_in: LogIn) -> None:
    await propose(hub, "item_update", id=1, quantity=7)
    auditor = await log_in("auditor")

    export = await auditor.send("POST", "/audit/exports", {})
    foreign = await auditor.send("POST", "/audit/exports", {"since": "no checkpoint of ours"})

    lines = export.content.splitlines(keepends=True)
    changed = [*lines[:3], lines[3].replace(b"commit", b"c0mmit", 1).replace(b"account", b"acc0unt", 1), *lines[4:]]
    assert export.headers["content-type"].startswith("application/jsonl")
    assert audit.verify_export(lines).is_sound
    assert not audit.verify_export(changed).is_sound
    assert is_problem(foreign, 400, "malformed")


async def test_reading_private_values_is_on_record(hub: WorkingHub, log_in: LogIn) -> None:
    asked = await propose(hub, "item_update", id=1, quantity=7)
    auditor = await log_in("auditor")
    received = (await auditor.get("/audit/events", subject=asked, kind="invocation.received")).json()["items"][0]

    read = await auditor.send("POST", f"/audit/events/{received['id']}/values")

    assert read.json()["values"]["arguments"] == {"id": 1, "quantity": 7}
    assert "quantity" not in str(received)
    noted = (await auditor.get("/audit/events", kind="bodies.read")).json()["items"]
    assert [(one["subject"], one["actor"]) for one in noted] == [(received["id"], hub.people["auditor"].id)]
