"""The test upstream's API: items (conditional writes, idempotency keys), tickets (our reference), notes (nothing)."""

import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

from upstream import charges
from upstream.answers import Answer, refused
from upstream.store import Received, Store

Json = Any


class Records:
    """Carries requests out, each in one transaction together with its effect."""

    def __init__(self, store: Store, *, token: str | None) -> None:
        self._store = store
        self._token = token

    def carry_out(self, request: Received) -> Answer:
        """Return the answer to `request`."""
        if self._token is not None and request.path == "/oauth/token":
            return self._store.atomically(partial(self._grant, self._token, request))
        if self._token is not None and request.headers.get("authorization") != f"Bearer {self._token}":
            return refused(401, "send the token of this account")
        path = urlsplit(request.path).path
        if path[:3] in charges.PREFIXES:
            return self._store.atomically(partial(charges.carry_out, self._store, request))
        for (method, pattern), act in self._routes().items():
            if method == request.method and (match := re.fullmatch(pattern, path)):
                return self._store.atomically(partial(self._once, request, act, match))
        return refused(404, f"there is no {request.method} {path}")

    def _routes(self) -> dict[tuple[str, str], Callable[[Received, str], Answer]]:
        return {
            ("GET", r"/items"): self._find_items,
            ("GET", r"/items/(\d+)"): self._get_item,
            ("PUT", r"/items/(\d+)"): self._put_item,
            ("PATCH", r"/items/(\d+)"): self._patch_item,
            ("DELETE", r"/items/(\d+)"): self._delete_item,
            ("GET", r"/tickets"): self._find_tickets,
            ("GET", r"/tickets/(\d+)"): self._get_ticket,
            ("POST", r"/tickets"): self._create_ticket,
            ("POST", r"/notes"): self._post_note,
        }

    def _grant(self, token: str, request: Received) -> Answer:
        """Give the account's token to whoever shows the last refresh token, and a new refresh token with it."""
        form = parse_qs(request.body)
        last = len(self._store.rows("SELECT * FROM granted"))
        if form.get("grant_type") != ["refresh_token"] or form.get("refresh_token") != [f"refresh-{last}"]:
            return Answer(400, {"error": "invalid_grant"})
        self._store.rows("INSERT INTO granted VALUES (NULL)")
        renewed = {"refresh_token": f"refresh-{last + 1}", "expires_in": 0}
        return Answer(200, {"access_token": token, "token_type": "Bearer", **renewed})

    def _once(self, request: Received, act: Callable[[Received, str], Answer], match: re.Match[str]) -> Answer:
        """Answer a repeated idempotency key as before, without doing anything again."""
        key = request.headers.get("idempotency-key")
        asked = f"{request.method} {request.path} {request.body}"
        if key is not None and (known := self._store.row("SELECT * FROM answer WHERE key = ?", key)):
            if known["request"] != asked:
                return refused(422, "this idempotency key was used for another request")
            return Answer(known["status"], json.loads(known["body"]), {"idempotent-replayed": "true"})
        answer = act(request, match.group(1) if match.groups() else "")
        if key is not None and answer.status < 400:
            body = json.dumps(answer.body)
            self._store.rows("INSERT INTO answer VALUES (?, ?, ?, ?)", key, asked, answer.status, body)
        return answer

    def _find_items(self, request: Received, _: str) -> Answer:
        name = _query(request, "name")
        return Answer(200, {"items": self._store.rows("SELECT * FROM item WHERE name LIKE ? ORDER BY id", f"%{name}%")})

    def _get_item(self, _: Received, number: str) -> Answer:
        item = self._item(number)
        return _item(200, item) if item else refused(404, f"item {number} does not exist")

    def _put_item(self, request: Received, number: str) -> Answer:
        if self._item(number):
            return refused(409, f"item {number} exists already")
        given = json.loads(request.body)
        self._store.rows("INSERT INTO item VALUES (?, ?, ?, 1)", int(number), given["name"], given["quantity"])
        self._store.note_effect("item.put", number, given)
        return _item(201, self._item(number))

    def _patch_item(self, request: Received, number: str) -> Answer:
        item = self._item(number)
        if refusal := _condition(request, number, item):
            return refusal
        changed = {**(item or {}), **json.loads(request.body)}
        statement = "UPDATE item SET name = ?, quantity = ?, version = version + 1 WHERE id = ?"
        self._store.rows(statement, changed["name"], changed["quantity"], int(number))
        self._store.note_effect("item.patch", number, json.loads(request.body))
        return _item(200, self._item(number))

    def _delete_item(self, request: Received, number: str) -> Answer:
        if refusal := _condition(request, number, self._item(number)):
            return refusal
        self._store.rows("DELETE FROM item WHERE id = ?", int(number))
        self._store.note_effect("item.delete", number, None)
        return Answer(204, None)

    def _find_tickets(self, request: Received, _: str) -> Answer:
        reference = _query(request, "reference")
        return Answer(
            200, {"tickets": self._store.rows("SELECT * FROM ticket WHERE reference = ? ORDER BY id", reference)}
        )

    def _get_ticket(self, _: Received, number: str) -> Answer:
        ticket = self._store.row("SELECT * FROM ticket WHERE id = ?", int(number))
        return Answer(200, ticket) if ticket else refused(404, f"ticket {number} does not exist")

    def _create_ticket(self, request: Received, _: str) -> Answer:
        given = json.loads(request.body)
        insert = "INSERT INTO ticket VALUES (NULL, ?, ?) RETURNING *"
        ticket = self._store.row(insert, given["title"], given.get("reference", ""))
        self._store.note_effect("ticket.post", given.get("reference", ""), given)
        return Answer(201, ticket)

    def _post_note(self, request: Received, _: str) -> Answer:
        text = json.loads(request.body)["text"]
        note = self._store.row("INSERT INTO note VALUES (NULL, ?) RETURNING *", text)
        self._store.note_effect("note.post", text, None)
        return Answer(201, note)

    def _item(self, number: str) -> dict[str, Json] | None:
        return self._store.row("SELECT * FROM item WHERE id = ?", int(number))


def _condition(request: Received, number: str, item: dict[str, Json] | None) -> Answer | None:
    if item is None:
        return refused(404, f"item {number} does not exist")
    if "if-match" not in request.headers:
        return refused(428, "say which version you mean with If-Match")
    if request.headers["if-match"] != f'"{item["version"]}"':
        return refused(412, f"item {number} is at version {item['version']} now")
    return None


def _item(status: int, item: dict[str, Json] | None) -> Answer:
    return Answer(status, item, {"etag": f'"{item["version"]}"'} if item else {})


def _query(request: Received, name: str) -> str:
    return parse_qs(urlsplit(request.path).query).get(name, [""])[0]
