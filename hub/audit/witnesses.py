"""Sending checkpoints elsewhere: to a folder, a webhook or a git repository that the hub's administrators do not rule.

Whoever holds a checkpoint finds out when the log is cut off or rewritten. So nothing here ever takes one back: a file
is made once, and a branch is only ever added to.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

import httpx2
import structlog

from hub.audit.notes import Checkpoint
from hub.audit.sequencer import latest_checkpoint
from hub.core.errors import InputError, Unavailable
from hub.keys import Keyring
from hub.outbound import client_to_named
from hub.storage import Database

_SECONDS: Final = 30.0
_THIS_MACHINE: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_BRANCH: Final = "refs/heads/checkpoints"
_NAME: Final = "checkpoint"
_GIT: Final = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "https:ssh:file",
    "GIT_AUTHOR_NAME": "toolhub",
    "GIT_AUTHOR_EMAIL": "toolhub@localhost",
    "GIT_COMMITTER_NAME": "toolhub",
    "GIT_COMMITTER_EMAIL": "toolhub@localhost",
}

_log = structlog.get_logger(__name__)


class Witness(Protocol):
    """A place outside the hub that keeps checkpoints; `name` says which, without secrets."""

    @property
    def name(self) -> str:
        """What logs call it."""
        ...

    async def keep(self, checkpoint: Checkpoint) -> None:
        """Hand the checkpoint over; handing it over twice is as handing it over once.

        Raises:
            Unavailable: it is not kept there; the message says why.
        """
        ...


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder, such as a mount that can only be added to: one file for each checkpoint, named by its size."""

    path: Path

    @property
    def name(self) -> str:
        """What logs call it."""
        return f"folder {self.path}"

    async def keep(self, checkpoint: Checkpoint) -> None:
        """Make the file, unless it is there.

        Raises:
            Unavailable: the folder cannot be written to, or the file there says something else.
        """
        await asyncio.to_thread(self._keep, checkpoint)

    def _keep(self, checkpoint: Checkpoint) -> None:
        file = self.path / f"{checkpoint.size:016}.checkpoint"
        part = file.with_suffix(f".{os.getpid()}.part")
        try:
            if not file.exists():
                with part.open("w", encoding="utf-8") as note:
                    note.write(checkpoint.note)
                    note.flush()
                    os.fsync(note.fileno())
                part.rename(file)
            kept = file.read_text(encoding="utf-8")
        except OSError as error:
            raise Unavailable(f"{file.name} cannot be written: {error.strerror}.") from error
        finally:
            part.unlink(missing_ok=True)
        if kept != checkpoint.note:
            raise Unavailable(
                f"{file.name} holds another checkpoint of that size: one of the two logs is not the first."
            )


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that takes each checkpoint by POST, as text; the note is signed, so the request is not."""

    url: str = field(repr=False)

    @property
    def name(self) -> str:
        """What logs call it: without path or query, which may hold a secret."""
        return f"webhook {urlsplit(self.url).hostname}"

    async def keep(self, checkpoint: Checkpoint) -> None:
        """Post the note.

        Raises:
            Unavailable: it did not answer, or not with a status of success.
        """
        headers = {"content-type": "text/plain; charset=utf-8"}
        try:
            async with (
                client_to_named(_SECONDS) as http,
                http.stream("POST", self.url, content=checkpoint.note.encode(), headers=headers) as answer,
            ):
                is_kept, status = answer.is_success, answer.status_code  # of its body nothing is read
        except httpx2.HTTPError as error:
            raise Unavailable(f"It did not answer ({type(error).__name__}).") from error
        if not is_kept:
            raise Unavailable(f"It answered with {status}.")


@dataclass(frozen=True, slots=True)
class GitRemote:
    """A branch `checkpoints` of a git repository: one commit for each checkpoint, never forced."""

    url: str = field(repr=False)
    work: Path
    """A bare repository of the hub's own, made if it is not there."""

    @property
    def name(self) -> str:
        """What logs call it: without user, password or path."""
        return f"git {urlsplit(self.url).hostname or 'repository'}"

    async def keep(self, checkpoint: Checkpoint) -> None:
        """Commit the note and push it, unless it stands at the head of the branch.

        Raises:
            Unavailable: git is missing, or the repository cannot be read or does not take it.
        """
        if not self.work.exists():
            await self._git("init", "--quiet", "--bare", str(self.work), within=False)
        parent = await self._fetched()
        blob = await self._git("hash-object", "-w", "--stdin", given=checkpoint.note)
        tree = await self._git("mktree", given=f"100644 blob {blob}\t{_NAME}\n")
        if parent and await self._git("rev-parse", f"{parent}^{{tree}}") == tree:
            return
        onto = ("-p", parent) if parent else ()
        commit = await self._git("commit-tree", tree, *onto, "-m", f"{checkpoint.size} events")
        await self._git("push", "--quiet", self.url, f"{commit}:{_BRANCH}")

    async def _fetched(self) -> str:
        """Return the head of the branch over there; empty if there is none yet."""
        listed = await self._git("ls-remote", self.url, _BRANCH)
        if not listed:
            return ""
        await self._git("fetch", "--quiet", self.url, _BRANCH)
        return await self._git("rev-parse", "FETCH_HEAD")

    async def _git(self, *words: str, given: str = "", within: bool = True) -> str:
        place = ("--git-dir", str(self.work)) if within else ()
        try:
            process = await asyncio.create_subprocess_exec(
                "git",
                *place,
                *words,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, **_GIT},
            )
        except OSError as error:
            raise Unavailable(f"git cannot be started: {error.strerror}. Install it where the hub runs.") from error
        try:
            async with asyncio.timeout(_SECONDS):
                said, _ = await process.communicate(given.encode())
        except TimeoutError as error:
            process.kill()
            await process.wait()
            raise Unavailable(f"git {words[0]} took longer than {_SECONDS:.0f} seconds.") from error
        if process.returncode:
            # What git says may repeat the address, and with it a password.
            raise Unavailable(f"git {words[0]} failed with {process.returncode}; try it by hand with the same address.")
        return said.decode().strip()


def witness_from(address: str, home: Path) -> Witness:
    """Return the witness that an operator's address names: `file:///folder`, `https://...` or `git+ssh://...`.

    Raises:
        InputError: it names none.
    """
    url = urlsplit(address)
    if url.scheme == "file" and not url.netloc and url.path:
        return Folder(Path(url.path))
    if url.scheme == "https" or (url.scheme == "http" and url.hostname in _THIS_MACHINE):
        return Webhook(address)
    if url.scheme in {"git+https", "git+ssh", "git+file"}:
        return GitRemote(address.removeprefix("git+"), home / "checkpoints.git")
    raise InputError(
        "A place for checkpoints is file:///folder, https://..., git+https://..., git+ssh://... or git+file:///..."
    )


class Herald:
    """Hands the newest checkpoint to every witness that has not got it."""

    def __init__(self, database: Database, keys: Keyring, witnesses: Sequence[Witness]) -> None:
        self._database = database
        self._keys = keys
        self._kept = dict[Witness, int].fromkeys(witnesses, -1)

    async def announce(self) -> None:
        """Hand it over; a witness that does not take it does not keep it from the others, and is asked again."""
        async with self._database.reading() as tx:
            newest = await latest_checkpoint(tx, self._keys) if self._kept else None
        if newest is not None:
            behind = [witness for witness, size in self._kept.items() if size < newest.size]
            await asyncio.gather(*(self._hand_over(witness, newest) for witness in behind))

    async def _hand_over(self, witness: Witness, newest: Checkpoint) -> None:
        try:
            await witness.keep(newest)
        except Unavailable as error:
            _log.warning("a checkpoint could not be sent elsewhere", to=witness.name, error=error.message)
            return
        self._kept[witness] = newest.size
