"""The same charge in four kinds of system, one below each of `/a`, `/b`, `/c` and `/d`: the upstream classes.

`/a` knows an idempotency key again, `/b` makes a condition of the version, `/c` finds a charge by our reference, `/d`
offers nothing. `Store.break_promise` makes one of them stop, so that tests can prove that somebody notices.
"""

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from upstream.answers import Answer, refused
from upstream.store import Received, Store

Json = Any

PREFIXES = frozenset({"/a/", "/b/", "/c/", "/d/"})


def carry_out(store: Store, request: Received) -> Answer:
    """Return the answer to `request`; every account exists, and holds nothing until it is charged."""
    url = urlsplit(request.path)
    letter, path = url.path[1], url.path[2:]
    if (request.method, path, letter) == ("GET", "/charges", "c"):
        return _find(store, parse_qs(url.query).get("reference", [""])[0])
    if match := re.fullmatch(r"/accounts/(\d+)", path):
        return _account(store, request, letter, int(match[1]))
    if request.method == "POST" and letter != "b" and (match := re.fullmatch(r"/accounts/(\d+)/charges", path)):
        return _charge(store, request, letter, int(match[1]))
    return refused(404, f"there is no {request.method} {url.path}")


def _account(store: Store, request: Received, letter: str, number: int) -> Answer:
    store.rows("INSERT OR IGNORE INTO account (class, id) VALUES (?, ?)", letter, number)
    account = _read(store, letter, number)
    if request.method == "GET":
        return Answer(200, account, {"etag": f'"{account["version"]}"'})
    if (request.method, letter) != ("PATCH", "b"):
        return refused(405, f"an account is not changed by {request.method}")
    condition = request.headers.get("if-match")
    if condition is None:
        return refused(428, "say which version you mean with If-Match")
    if condition != f'"{account["version"]}"' and store.keeps_promise("b"):
        return refused(412, f"account {number} is at version {account['version']} now")
    balance = json.loads(request.body)["balance"]
    _add(store, letter, number, balance - account["balance"])
    return Answer(200, _read(store, letter, number))


def _charge(store: Store, request: Received, letter: str, number: int) -> Answer:
    key = request.headers.get("idempotency-key") if letter == "a" and store.keeps_promise("a") else None
    if key is not None and (known := store.row("SELECT * FROM answer WHERE key = ?", key)):
        if known["request"] != f"{request.path} {request.body}":
            return refused(422, "this idempotency key was used for another request")
        return Answer(known["status"], json.loads(known["body"]))
    given = json.loads(request.body)
    store.rows("INSERT OR IGNORE INTO account (class, id) VALUES (?, ?)", letter, number)
    _add(store, letter, number, given["amount"])
    insert = "INSERT INTO charge VALUES (NULL, ?, ?, ?, ?) RETURNING account, amount, reference"
    charge = store.row(insert, letter, number, given["amount"], given.get("reference", ""))
    if key is not None:
        asked = f"{request.path} {request.body}"
        store.rows("INSERT INTO answer VALUES (?, ?, 201, ?)", key, asked, json.dumps(charge))
    return Answer(201, charge)


def _find(store: Store, reference: str) -> Answer:
    query = "SELECT account, amount, reference FROM charge WHERE class = 'c' AND reference = ? ORDER BY id"
    found = store.rows(query, reference) if store.keeps_promise("c") else []
    return Answer(200, {"charges": found})


def _add(store: Store, letter: str, number: int, amount: int) -> None:
    change = "UPDATE account SET balance = balance + ?, version = version + 1 WHERE class = ? AND id = ?"
    store.rows(change, amount, letter, number)
    store.note_effect(f"charge.{letter}", number, {"amount": amount})


def _read(store: Store, letter: str, number: int) -> dict[str, Json]:
    select = "SELECT id, balance, version FROM account WHERE class = ? AND id = ?"
    return store.rows(select, letter, number)[0]
