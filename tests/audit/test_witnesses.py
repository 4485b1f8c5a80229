"""Checkpoints elsewhere: every kind of place keeps them, none forgets one, and a broken one harms no other."""

import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from structlog.testing import capture_logs

from hub.audit import Checkpoint, Herald, note_keys, sequence, witness_from
from hub.audit.notes import read_checkpoint
from hub.core.errors import InputError, Unavailable
from hub.keys import Keyring
from hub.storage import Database

Append = Callable[[int], Awaitable[list[str]]]

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]


@pytest.fixture
async def grow(database: Database, keys: Keyring, append_events: Append) -> Callable[[], Awaitable[Checkpoint]]:
    async def grow() -> Checkpoint:
        await append_events(2)
        checkpoint = await sequence(database, keys)
        assert checkpoint is not None
        return checkpoint

    return grow


Grow = Callable[[], Awaitable[Checkpoint]]


class Mailbox(HTTPServer):
    """Takes what is posted, and answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Post)
        self.taken: list[str] = []
        self.status = 204
        self.says = dict[str, str]()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/secret-path"


class _Post(BaseHTTPRequestHandler):
    server: Mailbox

    def do_POST(self) -> None:
        self.server.taken.append(self.rfile.read(int(self.headers["content-length"])).decode())
        self.send_response(self.server.status)
        for name, value in self.server.says.items():
            self.send_header(name, value)
        self.end_headers()

    def do_GET(self) -> None:
        self.server.taken.append(f"asked for {self.path}")

    def log_message(self, *_said: object) -> None:
        return


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def git(*words: str, at: Path) -> str:
    return subprocess.run(["git", *words], cwd=at, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    (tmp_path / "remote.git").mkdir()
    git("init", "--quiet", "--bare", at=tmp_path / "remote.git")
    return tmp_path / "remote.git"


def files_in(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in sorted(folder.iterdir())}


async def test_a_folder_gets_a_file_for_each_checkpoint_that_the_log_still_signs(
    database: Database, keys: Keyring, tmp_path: Path, grow: Grow
) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    herald = Herald(database, keys, [witness_from(f"file://{folder}", tmp_path)])
    await herald.announce()  # nothing yet
    made = []
    for _ in range(2):
        made.append(await grow())
        await herald.announce()
        await herald.announce()

    kept = files_in(folder)
    assert [read_checkpoint(note, note_keys(keys)) for note in kept.values()] == made
    assert all(name.endswith(".checkpoint") for name in kept)


async def test_a_folder_never_takes_a_checkpoint_back(tmp_path: Path, grow: Grow) -> None:
    witness, checkpoint = witness_from(f"file://{tmp_path}", tmp_path), await grow()
    file = tmp_path / f"{checkpoint.size:016}.checkpoint"
    file.write_text("another one")

    with pytest.raises(Unavailable, match="holds another checkpoint"):
        await witness.keep(checkpoint)
    assert file.read_text() == "another one"


async def test_a_webhook_gets_each_checkpoint_once(
    database: Database, keys: Keyring, mailbox: Mailbox, tmp_path: Path, grow: Grow
) -> None:
    herald = Herald(database, keys, [witness_from(mailbox.url, tmp_path)])
    made = await grow()

    await herald.announce()
    await herald.announce()

    assert mailbox.taken == [made.note]


async def test_what_a_webhook_refuses_is_offered_again_and_its_address_is_not_logged(
    database: Database, keys: Keyring, mailbox: Mailbox, tmp_path: Path, grow: Grow
) -> None:
    herald = Herald(database, keys, [witness_from(mailbox.url, tmp_path)])
    made = await grow()
    mailbox.status = 500

    with capture_logs() as logs:
        await herald.announce()
    mailbox.status = 200
    await herald.announce()

    assert mailbox.taken == [made.note, made.note]
    assert [line["error"] for line in logs] == ["It answered with 500."]
    assert "secret-path" not in str(logs)


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (302, {"location": "/elsewhere"}),
        (200, {"content-length": str(2**40)}),  # and never sent
        (200, {"content-encoding": "gzip"}),  # which it is not
    ],
    ids=["a redirect", "more than there is", "odd"],
)
async def test_of_what_a_webhook_answers_nothing_counts_but_its_status(
    mailbox: Mailbox, tmp_path: Path, grow: Grow, status: int, says: dict[str, str]
) -> None:
    witness, made = witness_from(mailbox.url, tmp_path), await grow()
    mailbox.status, mailbox.says = status, says

    with nullcontext() if status < 300 else pytest.raises(Unavailable, match=f"It answered with {status}"):
        await witness.keep(made)

    assert mailbox.taken == [made.note]


async def test_a_git_repository_gets_a_commit_for_each_checkpoint(
    database: Database, keys: Keyring, remote: Path, tmp_path: Path, grow: Grow
) -> None:
    herald = Herald(database, keys, [witness_from(f"git+file://{remote}", tmp_path)])
    made = []
    for _ in range(2):
        made.append(await grow())
        await herald.announce()
        await herald.announce()

    commits = git("log", "--format=%s", "checkpoints", at=remote).splitlines()
    notes = [git("show", f"{commit}:checkpoint", at=remote) for commit in ("checkpoints~1", "checkpoints")]
    assert commits == [f"{one.size} events" for one in reversed(made)]
    own = tmp_path / "checkpoints.git"  # and nowhere else, such as a repository that the hub happens to run in
    assert git("cat-file", "-t", git("rev-parse", "checkpoints", at=remote).strip(), at=own) == "commit\n"
    assert notes == [one.note for one in made]


async def test_a_hub_that_has_lost_its_own_copy_adds_to_what_the_repository_has(
    database: Database, keys: Keyring, remote: Path, tmp_path: Path, grow: Grow
) -> None:
    for home in ("one", "two"):
        (tmp_path / home).mkdir()
        await grow()
        await Herald(database, keys, [witness_from(f"git+file://{remote}", tmp_path / home)]).announce()
        # the same one again, from a hub that remembers nothing
        await Herald(database, keys, [witness_from(f"git+file://{remote}", tmp_path / home)]).announce()

    assert git("log", "--format=%s", "checkpoints", at=remote).splitlines() == ["4 events", "2 events"]


async def test_one_broken_place_does_not_keep_checkpoints_from_the_others(
    database: Database, keys: Keyring, tmp_path: Path, grow: Grow
) -> None:
    addresses = [
        "file:///proc/nowhere",
        "http://127.0.0.1:9/",
        f"git+file://{tmp_path}/no.git",
        f"file://{tmp_path}/kept",
    ]
    (tmp_path / "kept").mkdir()
    herald = Herald(database, keys, [witness_from(one, tmp_path) for one in addresses])
    await grow()

    with capture_logs() as logs:
        await herald.announce()

    assert len(files_in(tmp_path / "kept")) == 1
    assert sorted(line["to"].split()[0] for line in logs) == ["folder", "git", "webhook"]


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://user:secret@logs.example.org/secret?key=secret", "webhook logs.example.org"),
        ("http://localhost:9/secret", "webhook localhost"),
        ("git+https://user:secret@git.example.org/secret.git", "git git.example.org"),
        ("git+ssh://secret@git.example.org/secret.git", "git git.example.org"),
        ("git+file:///secret.git", "git repository"),
    ],
)
async def test_a_place_is_named_without_secrets(address: str, name: str, tmp_path: Path, database: Database) -> None:
    del database
    witness = witness_from(address, tmp_path)

    assert witness.name == name
    assert "secret" not in repr(witness)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "",
            "checkpoints",
            "file://host/folder",
            "file://",
            "http://example.org/",
            "ftp://127.0.0.1/x",
            "//localhost/x",
        ),
        *("git+ext::sh", "ssh://x/y", "git+http://x"),
    ],
)
async def test_an_address_that_names_no_place_is_refused(address: str, tmp_path: Path, database: Database) -> None:
    del database
    with pytest.raises(InputError, match=r"git\+ssh"):
        witness_from(address, tmp_path)
