"""What holds for every request to the API: who is let in, what is read, how errors look."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest
from doors.agents import BOTH_ENGINES
from doors.people import API, LogIn, is_problem
from doors.working_hub import PASSWORD, PUBLIC_URL, WorkingHub
from sqlalchemy import text, update

from hub.api.shell import LONGEST_BODY
from hub.identity.accounts import NewUser, create_user, suspend
from hub.identity.sessions import SESSION_COOKIE
from hub.identity.tables import LoginBudgetRow, SessionRow
from hub.storage import now

pytestmark = pytest.mark.anyio


@pytest.fixture
async def ada(hub: WorkingHub) -> str:
    """The name of a user with a password."""
    async with hub.database.transaction() as tx:
        await create_user(tx, NewUser(name="ada", display_name="Ada", password=PASSWORD), hub.authority)
    return "ada"


@BOTH_ENGINES
async def test_a_script_logs_in_acts_and_logs_out(http: httpx2.AsyncClient, ada: str) -> None:
    opened = await http.post(f"{API}/session", json={"name": ada, "password": PASSWORD})
    token = opened.json()["csrf_token"]
    known = await http.get(f"{API}/session")
    ended = await http.delete(f"{API}/session", headers={"X-CSRF-Token": token})
    after = await http.get(f"{API}/session")

    assert opened.status_code == 201
    cookie = opened.headers["set-cookie"]
    assert SESSION_COOKIE in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert known.json() == opened.json()
    assert known.json()["name"] == ada
    assert ended.status_code == 204
    assert is_problem(after, 401, "unauthenticated")


async def test_a_second_login_replaces_the_first_and_is_younger(
    hub: WorkingHub, http: httpx2.AsyncClient, ada: str
) -> None:
    await http.post(f"{API}/session", json={"name": ada, "password": PASSWORD})
    first = http.cookies[SESSION_COOKIE]
    async with hub.database.transaction() as tx:
        long_ago = await now(tx) - timedelta(minutes=30)
        await tx.execute(update(SessionRow).values(authenticated_at=long_ago))
    again = await http.post(f"{API}/session", json={"name": ada, "password": PASSWORD})
    second = http.cookies[SESSION_COOKIE]
    http.cookies.clear()
    replaced = await http.get(f"{API}/session", headers={"Cookie": f"{SESSION_COOKIE}={first}"})

    assert second != first
    assert again.json()["authenticated_at"] > long_ago.isoformat()
    assert is_problem(replaced, 401, "unauthenticated")


async def test_somebody_changes_their_password_and_stays_logged_in_here_alone(
    http: httpx2.AsyncClient, ada: str
) -> None:
    elsewhere = await http.post(f"{API}/session", json={"name": ada, "password": PASSWORD})
    http.cookies.clear()
    token = (await http.post(f"{API}/session", json={"name": ada, "password": PASSWORD})).json()["csrf_token"]
    path, new = f"{API}/session/password", "another horse battery"

    forged = await http.put(path, json={"current": PASSWORD, "new": new})
    wrong = await http.put(path, json={"current": "wrong", "new": new}, headers={"X-CSRF-Token": token})
    right = await http.put(path, json={"current": PASSWORD, "new": new}, headers={"X-CSRF-Token": token})

    assert is_problem(forged, 403, "forbidden")
    assert is_problem(wrong, 401, "login_refused")
    assert right.status_code == 200
    assert (await http.get(f"{API}/session")).json() == right.json()
    http.cookies.clear()
    old = elsewhere.headers["set-cookie"].partition(";")[0]
    assert is_problem(await http.get(f"{API}/session", headers={"Cookie": old}), 401, "unauthenticated")
    assert (await http.post(f"{API}/session", json={"name": ada, "password": new})).status_code == 201


@pytest.mark.parametrize(("name", "password"), [("ada", "wrong"), ("nobody-such", PASSWORD), ("ada", "")])
async def test_a_wrong_login_does_not_say_what_was_wrong(
    http: httpx2.AsyncClient, ada: str, name: str, password: str
) -> None:
    del ada
    response = await http.post(f"{API}/session", json={"name": name, "password": password})

    assert is_problem(response, 401, "login_refused")
    assert response.json()["detail"] == "Wrong name or password."


async def test_guessing_is_throttled_and_says_when_to_come_back(
    hub: WorkingHub, http: httpx2.AsyncClient, ada: str
) -> None:
    await http.post(f"{API}/session", json={"name": ada, "password": "guess"})
    async with hub.database.transaction() as tx:
        later = await now(tx) + timedelta(minutes=39)
        await tx.execute(update(LoginBudgetRow).values(full_at=later))

    response = await http.post(f"{API}/session", json={"name": ada, "password": PASSWORD})

    assert is_problem(response, 429, "too_many_attempts")
    assert 0 < int(response.headers["retry-after"]) <= 600


async def test_nobody_gets_in_without_a_credential(http: httpx2.AsyncClient) -> None:
    assert is_problem(await http.get(f"{API}/tools"), 401, "unauthenticated")
    basic = await http.get(f"{API}/tools", headers={"Authorization": "Basic YTpi"})
    assert is_problem(basic, 401, "unauthenticated")
    forged = await http.get(f"{API}/tools", headers={"Authorization": "Bearer a.b.c"})
    assert is_problem(forged, 401, "unauthenticated")


async def test_a_token_for_mcp_is_no_token_for_the_api(hub: WorkingHub, http: httpx2.AsyncClient) -> None:
    response = await http.get(f"{API}/tools", headers={"Authorization": f"Bearer {await hub.token()}"})

    assert is_problem(response, 401, "unauthenticated")


async def test_a_suspended_persons_session_ends_at_once(hub: WorkingHub, log_in: LogIn) -> None:
    person = await log_in("requester")
    async with hub.database.transaction() as tx:
        await suspend(tx, hub.people["requester"].id, "left", hub.authority)

    assert is_problem(await person.get("/tools"), 401, "unauthenticated")


@pytest.mark.parametrize("token", ["", "x" * 43])
async def test_a_change_without_the_csrf_token_is_refused(log_in: LogIn, token: str) -> None:
    person = await log_in("administrator")

    response = await person.send("PUT", "/groups/finance", {"title": "Finance"}, **{"X-CSRF-Token": token})

    assert is_problem(response, 403, "forbidden")


async def test_a_change_from_another_site_is_refused(log_in: LogIn) -> None:
    person = await log_in("administrator")

    foreign = await person.send("PUT", "/groups/finance", {"title": "Finance"}, Origin="https://evil.example")
    own = await person.send("PUT", "/groups/finance", {"title": "Finance"}, Origin=PUBLIC_URL)

    assert is_problem(foreign, 403, "forbidden")
    assert own.status_code == 200


async def test_csrf_tokens_of_another_session_do_not_fit(log_in: LogIn) -> None:
    one, other = await log_in("administrator"), await log_in("administrator")

    response = await one.send("PUT", "/groups/finance", {"title": "F"}, **{"X-CSRF-Token": other.csrf_token})

    assert is_problem(response, 403, "forbidden")


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b'{"title":"a","title":"b"}', 400, "malformed"),
        (b"{", 400, "malformed"),
        (b'{"title":"\\u0000"}', 400, "malformed"),
        (b'{"title":NaN}', 400, "malformed"),
        (b'{"title":7}', 422, "request_invalid"),
        (b'{"title":"a","more":1}', 422, "request_invalid"),
        (b"{}", 422, "request_invalid"),
        (b"", 422, "request_invalid"),
        (b" " * (LONGEST_BODY + 1), 413, "too_large"),
    ],
)
async def test_a_body_is_read_strictly(log_in: LogIn, content: bytes, status: int, code: str) -> None:
    person = await log_in("administrator")
    headers = {**person.headers, "Content-Type": "application/json"}

    response = await person.http.put(f"{API}/groups/finance", content=content, headers=headers)

    assert is_problem(response, status, code)


async def test_a_body_of_another_kind_is_refused(log_in: LogIn) -> None:
    person = await log_in("administrator")

    response = await person.http.put(f"{API}/groups/finance", data={"title": "x"}, headers=person.headers)

    assert is_problem(response, 415, "unsupported_media_type")


async def test_every_violation_of_a_request_is_named_with_its_place(log_in: LogIn) -> None:
    person = await log_in("administrator")

    response = await person.send("POST", "/users", {"name": 7, "roles": ["king"], "extra": 1})

    assert is_problem(response, 422, "request_invalid")
    assert {one["pointer"] for one in response.json()["violations"]} == {
        "/name",
        "/display_name",
        "/roles/0",
        "/extra",
    }


async def test_unknown_addresses_and_methods_are_problems_too(log_in: LogIn) -> None:
    person = await log_in("administrator")

    nowhere = await person.get("/nowhere")
    method = await person.send("DELETE", "/groups")

    assert is_problem(nowhere, 404, "not_found")
    assert is_problem(method, 405, "method_not_allowed")
    assert "GET" in method.headers["allow"]


async def test_a_failure_inside_the_hub_is_a_problem_without_internals(hub: WorkingHub, log_in: LogIn) -> None:
    person = await log_in("administrator")
    async with hub.database.transaction() as tx:
        await tx.execute(text("ALTER TABLE group_members RENAME TO lost"))

    response = await person.get("/users")

    assert is_problem(response, 500, "internal_error")
    assert "group_members" not in response.text
    assert response.headers["x-trace-id"] == response.json()["trace_id"]


@pytest.mark.parametrize("path", ["/session", "/openapi.json", "/nowhere"])
async def test_every_answer_leaves_with_security_headers(http: httpx2.AsyncClient, path: str) -> None:
    response = await http.get(f"{API}{path}")

    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert response.headers["x-frame-options"] == "DENY"


async def test_the_trace_id_of_the_caller_is_kept(http: httpx2.AsyncClient) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    response = await http.get(f"{API}/session", headers={"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"})
    made_up = await http.get(f"{API}/session", headers={"traceparent": "garbage"})

    assert response.headers["x-trace-id"] == trace_id
    assert len(made_up.headers["x-trace-id"]) == 32


@BOTH_ENGINES
async def test_lists_come_in_pages_whose_cursors_are_their_readers_own(hub: WorkingHub, log_in: LogIn) -> None:
    person = await log_in("administrator")
    names, cursors, cursor = list[str](), list[str](), None
    while True:
        params: dict[str, Any] = {"limit": 3} if cursor is None else {"limit": 3, "cursor": cursor}
        page = (await person.get("/users", **params)).json()
        names += [one["name"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        cursors.append(cursor)

    assert names == sorted(hub.people)
    elsewhere = await person.get("/agents", cursor=cursors[0])
    forged = await person.get("/users", cursor=f"{cursors[0][:-4]}AAAA")
    assert is_problem(elsewhere, 400, "malformed")
    assert is_problem(forged, 400, "malformed")
    assert elsewhere.json()["detail"] == forged.json()["detail"]  # whose it is, nobody learns


@BOTH_ENGINES
async def test_a_null_character_is_refused_wherever_it_stands(log_in: LogIn) -> None:
    person = await log_in("administrator")

    for path, name in (("/tools", "query"), ("/tools", "server"), ("/audit/events", "kind"), ("/users", "cursor")):
        assert is_problem(await person.get(path, **{name: "\x00"}), 400, "malformed"), path
    assert is_problem(await person.get("/users", **{"\x00": "1"}), 400, "malformed")
    for path in ("/invocations/%00", "/approvals/%00", "/servers/%00/tools", "/tools/%00", "/users/usr_%00"):
        assert is_problem(await person.get(path), 404, "not_found"), path
    typed = await person.send("POST", "/groups", {"name": "sales", "title": "a\x00b"})
    assert is_problem(typed, 400, "malformed")
    assert "base64" in typed.json()["detail"]


@BOTH_ENGINES
@pytest.mark.parametrize(
    "path", ["/invocations/{}", "/invocations/{}/timeline", "/approvals/{}", "/users/{}", "/agents/{}"]
)
async def test_an_id_that_cannot_exist_looks_like_one_that_does_not(log_in: LogIn, path: str) -> None:
    person = await log_in("administrator")
    absent = "inv_00000000000000000000000000"

    def told(response: httpx2.Response, name: str) -> str:
        is_problem(response, 404, "not_found")
        return str(response.json()["detail"]).replace(name, "ID")

    expected = told(await person.get(path.format(absent)), absent)
    for impossible in ("nope", "inv_", "INV_1", "x" * 300, "inv_..."):
        assert told(await person.get(path.format(impossible)), impossible) == expected
