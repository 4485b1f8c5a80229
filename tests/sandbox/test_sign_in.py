"""Proving who the hub is: with which headers, how often, and without ever showing a secret."""

import base64
import json
from collections.abc import AsyncGenerator
from urllib.parse import quote, quote_plus

import pytest
from pydantic import ValidationError
from sandbox_broker import RPC, call, channel_to, get, post, rpc, upstream_at
from sandbox_server import Asked, Reply, Server, serving

from connectors.sdk import Bearer
from connectors.sdk.errors import Unavailable
from connectors.sdk.spec import AuthSpec
from sandbox.broker import ChannelKind
from sandbox.sign_in import PAUSE_SECONDS, Proof
from sandbox.transcript import Fate
from sandbox.upstream import Upstream

pytestmark = pytest.mark.anyio

SESSION = AuthSpec(
    kind="session_login",
    secret_fields=("login", "password"),
    parameters={
        "path": "/rpc/",
        "body": '{"method": "common.db.login", "params": ["{login}", {"password": "{password}"}]}',
        "credentials": "{login}:{/result/0}:{/result/1}",
        "scheme": "Session",
    },
)
PASSWORD = 'pa"ss{login}word'


class Erp:
    """Lets in who knows the password, for as long as the session lives."""

    def __init__(self) -> None:
        self.logins = 0
        self.is_open = True

    def __call__(self, asked: Asked) -> Reply:
        """Answer a call."""
        said = json.loads(asked.body)
        if said["method"] == "common.db.login":
            return self._login(said["params"])
        if asked.header("authorization") != f"Session {self.session}":
            return Reply(status=401, body={})
        return Reply(body={"result": asked.header("authorization")})

    @property
    def session(self) -> str:
        """What the only open session is sent as."""
        return base64.b64encode(f"hub:7:token-{self.logins}".encode()).decode()

    def _login(self, params: list[object]) -> Reply:
        if not self.is_open or params != ["hub", {"password": PASSWORD}]:
            return Reply(body={"result": None})
        self.logins += 1
        return Reply(body={"result": [7, f"token-{self.logins}"]})


@pytest.fixture
def erp() -> Erp:
    return Erp()


@pytest.fixture
async def server(erp: Erp, anyio_backend: str) -> AsyncGenerator[Server]:
    del anyio_backend
    async with serving(erp) as running:
        yield running


@pytest.fixture
async def way(server: Server) -> AsyncGenerator[Upstream]:
    opened = upstream_at(server.base_url, SESSION, login="hub", password=PASSWORD)
    yield opened
    await opened.close()


READ = rpc(call("model.party.read"))
WRITE = rpc(call("model.party.write"))


@pytest.mark.parametrize(
    ("auth", "secret", "header", "value"),
    [
        (AuthSpec(kind="bearer", secret_fields=("token",)), {"token": "abc"}, "authorization", "Bearer abc"),
        (AuthSpec(kind="api_key", secret_fields=("key",)), {"key": "abc"}, "x-api-key", "abc"),
        (
            AuthSpec(kind="api_key", secret_fields=("key",), parameters={"header": "X-Token", "prefix": "Key "}),
            {"key": "abc"},
            "x-token",
            "Key abc",
        ),
        (
            AuthSpec(kind="basic", secret_fields=("username", "password")),
            {"username": "hub", "password": "pä"},
            "authorization",
            f"Basic {base64.b64encode('hub:pä'.encode()).decode()}",
        ),
    ],
)
async def test_a_fixed_credential_goes_into_its_header(
    auth: AuthSpec, secret: dict[str, str], header: str, value: str
) -> None:
    async with serving(lambda _: Reply()) as server:
        way = upstream_at(server.base_url, auth, **secret)

        await channel_to(way).send(get())

        assert server.asked[0].header(header) == value
        await way.close()


@pytest.mark.parametrize(
    ("auth", "secret", "proof"),
    [
        (AuthSpec(), {}, {}),
        (Bearer(), {"token": "abc"}, {"authorization": "Bearer abc"}),
        (SESSION, {"login": "hub", "password": PASSWORD}, {}),
    ],
)
async def test_a_sign_in_is_joined_by_further_headers(
    auth: AuthSpec, secret: dict[str, str], proof: dict[str, str], server: Server
) -> None:
    joined = auth.with_header("X-Tenant", "t-{tenant}").with_header("x-api-key", "{key}")
    way = upstream_at(server.base_url, joined, **secret, tenant="acme", key="k\u00e9y" if not proof else "s3cret-key")

    if proof:
        server.answer = lambda asked: Reply(body={"echo": asked.header("x-api-key")})
        answer = await channel_to(way).send(get())
        sent = server.asked[0]
        expected = {**proof, "x-tenant": "t-acme", "x-api-key": "s3cret-key"}
        assert {name: sent.header(name) for name in expected} == expected
        assert "s3cret" not in answer.body
    else:
        with pytest.raises(Unavailable, match="no header can carry"):
            await channel_to(way).send(get())
    await way.close()


@pytest.mark.parametrize("name", ["authorization", "host", "if-match", "x-http-method-override", "a b", ""])
def test_a_further_header_neither_frames_a_request_nor_takes_the_place_of_its_proof(name: str) -> None:
    with pytest.raises(ValidationError, match="no header that may be added"):
        Bearer().with_header(name, "{key}")


async def test_a_session_is_made_once_and_used_again(way: Upstream, erp: Erp) -> None:
    answers = [await channel_to(way, spec=RPC).send(READ) for _ in range(3)]

    assert [answer.status for answer in answers] == [200, 200, 200]
    assert erp.logins == 1


async def test_a_read_renews_a_session_that_has_ended(way: Upstream, erp: Erp) -> None:
    await channel_to(way, spec=RPC).send(READ)
    erp.logins += 1  # the system has made another session, and forgotten ours

    answer = await channel_to(way, spec=RPC).send(READ)

    assert answer.status == 200
    assert erp.logins == 3


async def test_a_read_that_is_refused_twice_is_not_tried_for_ever(way: Upstream, server: Server) -> None:
    def refuse(asked: Asked) -> Reply:
        is_login = b"common.db.login" in asked.body
        return Reply(body={"result": [7, "token"]}) if is_login else Reply(status=403, body={})

    server.answer = refuse

    answer = await channel_to(way, spec=RPC).send(READ)

    assert answer.status == 403
    assert len(server.asked) == 4


async def test_a_write_makes_sure_of_its_session_before_it_asks_for_the_permit(way: Upstream, erp: Erp) -> None:
    await channel_to(way, spec=RPC).send(READ)
    way.sign_in._used_at -= 3600

    answer = await channel_to(way, ChannelKind.WRITE, RPC).send(WRITE)

    assert answer.status == 200
    assert erp.logins == 2


async def test_a_write_answered_401_is_refused_and_never_sent_again_by_itself(
    way: Upstream, server: Server, erp: Erp
) -> None:
    await channel_to(way, spec=RPC).send(READ)
    erp.logins += 1
    channel = channel_to(way, ChannelKind.WRITE, RPC)

    answer = await channel.send(WRITE)

    assert answer.status == 401
    assert [entry.answer.says_no for entry in channel.transcript.left if entry.answer] == [True]
    assert sum(b"model.party.write" in asked.body for asked in server.asked) == 1
    assert (await channel_to(way, ChannelKind.WRITE, RPC).send(WRITE)).status == 200


async def test_a_write_without_a_login_asks_for_no_permit(way: Upstream, server: Server, erp: Erp) -> None:
    erp.is_open = False
    asked: list[str] = []

    async def permit() -> None:
        asked.append("asked")

    channel = channel_to(way, ChannelKind.WRITE, RPC, permit=permit)

    with pytest.raises(Unavailable, match="did not let the hub sign in"):
        await channel.send(WRITE)

    assert asked == []
    told = [(entry.name, entry.fate) for entry in channel.transcript.entries]
    assert told == [("sign in", Fate.ANSWERED), (channel.transcript.entries[1].name, Fate.NOT_SENT)]
    assert len(server.asked) == 1


async def test_a_transcript_shows_each_request_that_was_sent_logins_too(way: Upstream, server: Server) -> None:
    channel, other = channel_to(way, spec=RPC), channel_to(way, spec=RPC)

    await channel.send(READ)
    await other.send(READ)

    assert len(channel.transcript.entries) + len(other.transcript.entries) == len(server.asked) == 3
    assert [entry.name for entry in channel.transcript.entries] == ["sign in", "model.party.read"]
    assert "secret" not in repr(channel.transcript)


async def test_a_refused_login_is_not_repeated_at_once(way: Upstream, server: Server, erp: Erp) -> None:
    erp.is_open = False
    for _ in range(3):
        with pytest.raises(Unavailable):
            await channel_to(way, spec=RPC).send(READ)
    assert len(server.asked) == 1

    erp.is_open = True
    assert way.sign_in._refused_at is not None
    way.sign_in._refused_at -= PAUSE_SECONDS

    assert (await channel_to(way, spec=RPC).send(READ)).status == 200


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=500, body={}),
        Reply(status=302, headers={"location": "/elsewhere"}),
        Reply(body="<html>"),
        Reply(body={"result": {"not": "a list"}}),
        Reply(body={"result": [7]}),
        Reply(body={"result": [7, ["token"]]}),
        Reply(body={"result": [7, "tok\r\nen"]}),
        Reply(body="x" * 100_000),
    ],
    ids=["500", "302", "page", "object", "short", "list", "line break", "long"],
)
async def test_a_login_answered_strangely_is_no_login(reply: Reply, way: Upstream, server: Server) -> None:
    plain = AuthSpec(kind="session_login", secret_fields=("login", "password"), parameters=PLAIN_PARAMETERS)
    way = upstream_at(server.base_url, plain, login="hub", password=PASSWORD)
    server.answer = lambda _: reply

    with pytest.raises(Unavailable) as raised:
        await channel_to(way, spec=RPC).send(READ)

    assert PASSWORD not in raised.value.message
    await way.close()


PLAIN_PARAMETERS = {**SESSION.parameters, "encoding": "plain"}


async def test_a_missing_secret_is_named(server: Server) -> None:
    way = upstream_at(server.base_url, SESSION, login="hub")

    with pytest.raises(Unavailable, match="has no password"):
        await channel_to(way, spec=RPC).send(READ)

    assert server.asked == []
    await way.close()


async def test_a_secret_that_would_break_its_header_is_not_sent_and_not_shown(server: Server) -> None:
    way = upstream_at(server.base_url, AuthSpec(kind="bearer", secret_fields=("token",)), token="abc\r\nHost: x")

    with pytest.raises(Unavailable) as raised:
        await channel_to(way).send(get())

    assert "abc" not in raised.value.message
    assert server.asked == []
    await way.close()


async def test_no_secret_shows_in_what_can_be_printed(way: Upstream, erp: Erp) -> None:
    channel = channel_to(way, ChannelKind.WRITE, RPC)
    answer = await channel.send(WRITE)

    proof = await way.sign_in.proof()
    shown = f"{channel!r} {way!r} {proof!r} {way.sign_in!r} {answer!r}"

    assert erp.session not in shown
    assert "pa" + PASSWORD[2:] not in shown


async def test_nobody_signs_in_for_what_is_fenced(way: Upstream, server: Server) -> None:
    from sandbox.broker import Stopped

    with pytest.raises(Stopped):
        await channel_to(way, spec=RPC).send(post())

    assert server.asked == []


@pytest.mark.parametrize(
    "said",
    [
        {"kind": "bearer"},
        {"kind": "bearer", "secret_fields": ("token", "other")},
        {"kind": "none", "secret_fields": ("token",)},
        {"kind": "basic", "secret_fields": ("username",)},
        {"kind": "bearer", "secret_fields": ("token",), "parameters": {"header": "x"}},
        {"kind": "session_login", "secret_fields": ("login",)},
        {"kind": "session_login", "secret_fields": ("login",), "parameters": {"body": "{", "credentials": "{login}"}},
        {"kind": "session_login", "parameters": {"body": '"{login}"', "credentials": "{/0}"}},
        {"kind": "session_login", "parameters": {"body": "{}", "credentials": "{/0}", "encoding": "rot13"}},
    ],
)
def test_a_contradictory_declaration_is_refused(said: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AuthSpec.model_validate(said)


def test_what_a_system_echoes_in_another_spelling_is_cut_out_too() -> None:
    token, password = "abc/def+ghi==", 'pass/word "9'
    shown = base64.b64encode(f"clerk:{password}".encode()).decode()
    proof = Proof(headers={"x-api-key": token, "authorization": f"Basic {shown}"})
    echoes = [
        *(token, json.dumps(token), token.replace("/", "\\/"), quote(token, safe=""), f"Basic {shown}", shown),
        *(password, json.dumps(password), json.dumps(password).replace("/", "\\/"), quote_plus(password)),
        f"clerk:{password}",
    ]

    for echo in echoes:
        said = proof.redact(f"you sent <{echo}> to us")

        assert "[redacted]" in said
        assert not any(part in said for part in (echo, "abc", "word", shown[:10]))
    assert proof.redact("clerks of all lands") == "clerks of all lands"


@pytest.mark.parametrize(
    ("auth", "secret"),
    [
        (Bearer(), {"token": "s3cret-token"}),
        (Bearer().with_header("x-key", 'key="{key}"'), {"token": "another-token", "key": "s3cret-token"}),
        (AuthSpec(kind="api_key", secret_fields=("key",), parameters={"prefix": "v1-"}), {"key": "s3cret-token"}),
        (
            AuthSpec(kind="basic", secret_fields=("username", "password")),
            {"username": "accounting", "password": "s3cret-token"},
        ),
    ],
)
async def test_a_proof_knows_its_secrets_as_they_were_given_and_no_names(
    auth: AuthSpec, secret: dict[str, str], server: Server
) -> None:
    way = upstream_at(server.base_url, auth, **secret)

    proof = await way.sign_in.proof()

    assert proof.redact("s3cret-token of accounting") == "[redacted] of accounting"
    await way.close()


async def test_a_session_knows_the_password_and_what_the_system_gave(way: Upstream, erp: Erp) -> None:
    proof = await way.sign_in.proof()

    assert proof.redact(f"{erp.session}, token-1, {PASSWORD}") == "[redacted], token-1, [redacted]"
    assert proof.secrets == {PASSWORD, "7", "token-1"}
