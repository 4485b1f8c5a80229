"""The demo's story: what must happen, scene by scene, each checked while it happens."""

from typing import Any, Final

import httpx2
from rich.markup import escape
from rich.table import Table

from hub.cli.demo.agent_process import Turn
from hub.cli.demo.people import Colleague
from hub.cli.demo.settling import READ, WRITE
from hub.cli.demo.signing_in import challenge_in
from hub.cli.demo.stage import Stage
from hub.cli.demo.telling import expect

Json = Any
"""Any JSON value."""

OTHER_TERM: Final = "Net 60 days"
_MCP: Final = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}
_SECONDS_TO_ANSWER: Final = 30
_FORBIDDEN: Final = 403


def play(stage: Stage) -> None:
    """Play every scene.

    Raises:
        Unexpected: something did not happen as it must.
    """
    for scene in (read, step_up, slip, medium_write, high_write, changed_behind_its_back, critical_write):
        scene(stage)


def read(stage: Stage) -> None:
    """Let the agent read: it executes at once."""
    stage.teller.scene("A read executes at once")
    turn = stage.do("look_around", "look")
    expect(all(not call.is_error and call.status is None for call in turn.calls), "A read was not answered at once.")
    expect("party_contact_update" in stage.agent.tools, "The agent does not see the tools it could get scopes for.")
    stage.teller.did(f"Agent: {turn.answer}")


def step_up(stage: Stage) -> None:
    """Call a write with a token that may only read, and get one that may write too."""
    stage.teller.scene("A call without the scope it needs is challenged")
    call = {"name": "party_contact_update", "arguments": {"contact_id": 1, "value": "somebody@bluebird.example"}}
    stage.teller.asked("agent", f"{call['name']} with a token for {READ} only")
    answer = httpx2.post(
        f"{stage.hub.url}/mcp",
        json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call},
        headers={**_MCP, "authorization": f"Bearer {stage.tokens.access}"},
        timeout=_SECONDS_TO_ANSWER,
    )
    challenge = challenge_in(answer)
    expect(
        answer.status_code == _FORBIDDEN and challenge.get("error") == "insufficient_scope",
        f"Expected 403 insufficient_scope, got {answer.status_code}: {answer.text}",
    )
    needed = frozenset(challenge["scope"].split())
    expect(needed == frozenset({WRITE}), f"The challenge should name {WRITE}; it names {challenge['scope']}.")
    stage.teller.quote(f"403 {answer.headers['www-authenticate']}")
    stage.tokens = stage.authorization.ask(stage.browser, " ".join(sorted(stage.tokens.scopes | needed)))
    expect(stage.tokens.scopes == frozenset({READ, WRITE}), f"The new token has {sorted(stage.tokens.scopes)}.")
    stage.teller.did(f"Rita allows the step-up; the new token has {' '.join(sorted(stage.tokens.scopes))}")


def slip(stage: Stage) -> None:
    """Call with arguments that break the schema: every violation is named, and nothing is done."""
    stage.teller.scene("Arguments that break the schema: every violation is named")
    refused = stage.do("slip", "slip").last
    expect(refused.is_error, "A call with wrong arguments was not refused.")
    missing = [name for name in ("contact_id", "colour", "value") if name not in refused.text]
    expect(not missing, f"The refusal does not name {', '.join(missing)}: {refused.text}")
    stage.teller.did("Three violations in one answer; the text alone says all of them")


def medium_write(stage: Stage) -> None:
    """Let the agent change a contact: previewed, committed by itself, read back."""
    stage.teller.scene("A medium write is previewed and commits by itself")
    turn = stage.do("correct_contact", "contact")
    expect(not any(call.status == "pending_approval" for call in turn.calls), "A medium write waited for people.")
    done = _verified(stage, _invocation_of(turn))
    stage.teller.did(f"{done['id']}: {done['state']}, nobody was asked")


def high_write(stage: Stage) -> None:
    """Let the agent propose a quotation: another person approves it, the requester cannot."""
    stage.teller.scene("A high write waits for another person")
    invocation_id = _pending(stage.do("quote", "quote"))
    rita, ann = stage.colleagues["rita"], stage.colleagues["ann"]
    question = ann.question(invocation_id)
    _show(stage, question)
    own = rita.approve(invocation_id, digest=question["digest"], reason="It is my own")
    expect(own.code == "forbidden", f"Rita's vote on her own write was answered with {own.status}: {own.body}")
    stage.teller.did("Rita tries to approve her own write, and is refused:")
    stage.teller.quote(str(own.body["detail"]))
    decided = _decide(stage, invocation_id, question)
    stage.refresh()
    stage.teller.did("The agent's token may have ended meanwhile: it is refreshed, the refresh token rotates")
    turn = stage.do("look_again", "quote")
    if decided["state"] == "REJECTED":
        expect("rejected" in turn.answer.lower(), f"The agent was not told of the rejection: {turn.answer}")
        stage.teller.did("It was rejected; the agent was told why, and Tryton was not touched")
        return
    done = _verified(stage, invocation_id)
    stage.teller.did(f"{invocation_id}: {done['state']}, quotation {done['result']['number']}")


def changed_behind_its_back(stage: Stage) -> None:
    """Change the customer in Tryton while a write on it waits: the approval is void, a new preview is asked about."""
    stage.teller.scene("The record changes in Tryton between preview and approval")
    invocation_id = _pending(stage.do("grant_term", "term"))
    rita, ann = stage.colleagues["rita"], stage.colleagues["ann"]
    seen = ann.question(invocation_id)
    _show(stage, seen)
    party = int(seen["preview"]["changes"][0]["target"].rpartition("/")[2])
    term = stage.clerk.ids("account.invoice.payment_term", ["name", "=", OTHER_TERM])[0]
    stage.clerk.write("party.party", party, customer_payment_term=term)
    stage.teller.asked("a clerk", f"sets the payment term to {OTHER_TERM}, in Tryton itself")
    first = ann.approve(invocation_id, digest=seen["digest"], reason="As agreed with the customer")
    expect(first.is_counted, f"Ann's vote was answered with {first.status}: {first.body}")
    stage.teller.asked("Ann", "approves what she was shown")
    rita.see(invocation_id, "AWAITING_APPROVAL", revision=2)
    stage.teller.did("STALE: nothing was sent, there is a new preview, and a new question")
    older = ann.approve(invocation_id, digest=seen["digest"], reason="As agreed with the customer")
    expect(older.code == "changed_since_seen", f"A vote on the old preview was answered with {older.body}")
    stage.teller.did("A vote on the old preview is refused, with the difference:")
    stage.teller.quote(str(older.body["detail"]))
    again = ann.question(invocation_id)
    _show(stage, again)
    found = again["preview"]["changes"][0]["before"]["payment_term"]
    expect(found == OTHER_TERM, f"The new preview starts from {found!r}, not from what the clerk wrote.")
    second = ann.approve(invocation_id, digest=again["digest"], reason="Still right")
    expect(second.is_counted, f"Ann's second vote was answered with {second.status}: {second.body}")
    stage.teller.asked("Ann", "reads the new preview, and approves that")
    stage.do("look_again", "term")
    done = _verified(stage, invocation_id)
    stage.teller.did(f"{invocation_id}: {done['state']}, in revision {done['revision']}")


def critical_write(stage: Stage) -> None:
    """Let the agent propose to post an invoice: two people of two groups, each after a fresh login."""
    stage.teller.scene("A critical write needs two people from two groups, each with a fresh login")
    invocation_id = _pending(stage.do("post_invoice", "invoice"))
    rita = stage.colleagues["rita"]
    question = stage.colleagues["ann"].question(invocation_id)
    _show(stage, question)
    asked = {one["group"]: one["fresh_seconds"] for one in question["obligations"]}
    expect(set(asked) == {"approvers", "controllers"}, f"Expected two groups to be asked, not {sorted(asked)}.")
    expect(all(asked.values()), "No fresh login is asked for.")
    _approve_freshly(stage, stage.colleagues["ann"], invocation_id, question)
    half = rita.invocation(invocation_id)
    expect(half["state"] == "AWAITING_APPROVAL", f"One vote of two was enough: {half['state']}.")
    stage.teller.did("One of two votes: nothing is sent")
    _approve_freshly(stage, stage.colleagues["carl"], invocation_id, question)
    stage.do("look_again", "invoice")
    done = _verified(stage, invocation_id)
    stage.teller.did(f"{invocation_id}: {done['state']}, invoice {done['result']['number']}")


def _pending(turn: Turn) -> str:
    call = turn.last
    expect(call.status == "pending_approval", f"Expected {call.tool} to wait for approval: {call.text}")
    invocation_id = str(call.structured["invocation_id"])
    expect(invocation_id in call.text, "The text does not name the invocation.")
    return invocation_id


def _invocation_of(turn: Turn) -> str:
    words = turn.last.text.replace(")", " ").replace(".", " ").split()
    found = next((word for word in words if word.startswith("inv_")), None)
    expect(found is not None, f"No invocation is named in {turn.last.text!r}")
    return str(found)


def _verified(stage: Stage, invocation_id: str) -> dict[str, Json]:
    return stage.colleagues["rita"].see(invocation_id, "VERIFIED")


def _approve_freshly(stage: Stage, voter: Colleague, invocation_id: str, question: dict[str, Json]) -> None:
    voter.log_in()
    vote = voter.approve(invocation_id, digest=question["digest"], reason="Checked against the delivery")
    expect(vote.is_counted, f"{voter.name}'s vote was answered with {vote.status}: {vote.body}")
    stage.teller.asked(voter.name.title(), "logs in afresh and approves")


def _decide(stage: Stage, invocation_id: str, question: dict[str, Json]) -> dict[str, Json]:
    """Return the invocation as it stands after Ann has decided: a person in her place, or this script."""
    rita, ann = stage.colleagues["rita"], stage.colleagues["ann"]
    if stage.is_unattended:
        vote = ann.approve(invocation_id, digest=question["digest"], reason="The prices are right")
        expect(vote.is_counted, f"Ann's vote was answered with {vote.status}: {vote.body}")
        stage.teller.asked("Ann", "approves through the API")
        return rita.see_decided(invocation_id)
    link = f"{stage.hub.url}/approvals/{invocation_id}"
    console = stage.teller.console
    console.print("\n  [bold]Now it is your turn.[/] Look at it as Ann, and decide:", highlight=False)
    console.print(f"    {link}", highlight=False, soft_wrap=True)
    console.print(f"    name [bold]ann[/], password [bold]{escape(stage.passwords['ann'])}[/]\n", highlight=False)
    with stage.teller.doing("Ann decides"):
        decided = rita.see_decided(invocation_id)
    stage.teller.asked("Ann", f"has decided: {decided['state'].lower()}")
    return decided


def _show(stage: Stage, question: dict[str, Json]) -> None:
    """Show the preview that the approvers see: before and after, per field."""
    preview = question["preview"]
    for change in preview["changes"]:
        stage.teller.asked(
            "preview", f"{change['effect']} {change['target']} (tier {question['tier']}, {preview['fidelity']})"
        )
        table = Table()
        for heading in ("field", "before", "after"):
            table.add_column(heading, overflow="fold")
        for row in _rows(change):
            table.add_row(*(escape(cell) for cell in row))
        stage.teller.console.print(table)


def _rows(change: dict[str, Json]) -> list[tuple[str, str, str]]:
    """Return the fields that change: name, before, after."""
    before: dict[str, Json] = change["before"] or {}
    after: dict[str, Json] = change["after"] or {}
    unknown: list[str] = change["unknown"]
    rows = [
        (name, _cell(before.get(name)), "assigned by Tryton" if name in unknown else _cell(after.get(name)))
        for name in sorted({*before, *after, *unknown})
    ]
    return [row for row in rows if row[1] != row[2]]


def _cell(value: Json) -> str:
    return "" if value is None else str(value)
