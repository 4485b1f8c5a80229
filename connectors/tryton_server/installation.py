"""Owns where Tryton is installed and the seeded database that every server starts from, each made once and kept."""

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

Say = Callable[[str], None]
"""Takes one sentence of progress."""

DATABASE = "erp"
TWIN = "erp_twin"
MODULES = ("sale", "purchase", "account_invoice_stock", "stock")
LOGINS = ("admin", "hub", "clerk")
"""`hub` is the account a connection uses: no administrator. `clerk` is a colleague who works in Tryton by hand."""

_SETUP = Path(__file__).parent / "setup"
_REQUIREMENTS = _SETUP / "requirements.txt"
_DRIVER = _SETUP / "requirements-postgresql.txt"
_SEED = _SETUP / "seed.py"
_PASSWORDS = "passwords.json"
_TRIAL_MODULE = Path(__file__).parent / "trial_module"
"""GPL, and no part of the hub's wheel: only a checkout has it."""

_WITH_TRIAL = "with-trial.sqlite"
_LINES_OF_OUTPUT_SHOWN = 15


class SetupFailed(Exception):
    """Tryton could not be set up; the message holds the end of what the failing step printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A Tryton ready to be started: its programs, a seeded database to copy, and the passwords in it."""

    programs: Path
    template: Path
    template_with_trial: Path
    """The same with the module `hub_trial` in it; only made in a checkout."""
    passwords: Mapping[str, str] = field(repr=False)


def install(home: Path, say: Say) -> Installation:
    """Return the Tryton under `home`, after making what is missing (about a minute the first time).

    May be called by several processes at once: one works, the others wait for it.

    Raises:
        SetupFailed: a step went wrong; nothing half-made is left behind.
    """
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    with _alone(home / "tryton.lock"):
        programs = _environment(home / "tryton", say)
        folder = _seeded(home / "tryton-seeded", programs, say)
    passwords = json.loads((folder / _PASSWORDS).read_text())
    return Installation(
        programs=programs,
        template=folder / f"{DATABASE}.sqlite",
        template_with_trial=folder / _WITH_TRIAL,
        passwords=passwords,
    )


def configuration(folder: Path, *, port: int | None = None, uri: str = "sqlite://") -> str:
    """Return a Tryton configuration: a database in `folder`, or on the PostgreSQL at `uri`.

    Queued work runs at once when a server is meant.
    """
    lines = ["[database]", f"uri = {uri}", f"path = {folder}"]
    # While seeding nothing works off the queue, so that a sale can be left merely confirmed.
    lines += ["[queue]", "worker = True"] if port is None else ["[web]", f"listen = 127.0.0.1:{port}"]
    return "\n".join(lines) + "\n"


def seed_on_postgresql(installation: Installation, folder: Path, uri: str, say: Say) -> None:
    """Fill the empty database `erp` on the PostgreSQL at `uri` with the company, the same passwords and all modules.

    Raises:
        SetupFailed: a step went wrong; the database is then of no use.
    """
    with _alone(installation.programs.parent.parent / "tryton.lock"):
        _add_driver(installation.programs, say)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write_secret(folder / _PASSWORDS, json.dumps(dict(installation.passwords)))
    try:
        _seed(folder, installation.programs, dict(installation.passwords), say, uri=uri)
    finally:
        (folder / _PASSWORDS).unlink()


def make_twin(installation: Installation, settings: Path) -> None:
    """Make or renew the twin of a database on SQLite that `settings` leads to, as an operator would by hand.

    It is a copy beside it, in which the module hub_trial is active, and which knows when it was made.

    Raises:
        SetupFailed: a step went wrong; the twin is then of no use.
    """
    copied_at = datetime.now(UTC).isoformat()
    there, copy = (settings.parent / f"{name}.sqlite" for name in (DATABASE, TWIN))
    with closing(sqlite3.connect(f"file:{there}?mode=ro", uri=True)) as source, closing(sqlite3.connect(copy)) as twin:
        source.backup(twin)
    of_twin = ["-c", str(settings), "-d", TWIN]
    _run([str(installation.programs / "trytond-admin"), *of_twin, "-u", "hub_trial"])
    _run([str(installation.programs / "hub-trial-mark-twin"), *of_twin, "--copied-at", copied_at])


def _add_driver(programs: Path, say: Say) -> None:
    mark = programs.parent / f"ready-{_digest(_DRIVER.read_bytes())}"
    if not mark.exists():
        say("Tryton: what it needs to speak to PostgreSQL")
        _run([*_pip(programs), "--no-deps", "--requirement", str(_DRIVER)])
        mark.touch()


@contextmanager
def _alone(lock: Path) -> Generator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # released when the file is closed, also if the process dies
        yield


def _environment(folder: Path, say: Say) -> Path:
    programs, mark = folder / "bin", folder / f"ready-{_digest(_made_of())}"
    if mark.exists():
        return programs
    shutil.rmtree(folder, ignore_errors=True)
    say("Tryton: an environment of its own (GPL, never part of the hub's)")
    _run([sys.executable, "-m", "venv", str(folder)])
    say("Tryton: its packages")
    _run([*_pip(programs), "--no-deps", "--requirement", str(_REQUIREMENTS)])
    if _TRIAL_MODULE.exists():
        _run([*_pip(programs), "--no-deps", str(_TRIAL_MODULE)])
    mark.touch()
    return programs


def _pip(programs: Path) -> list[str]:
    return [str(programs / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]


def _made_of() -> bytes:
    files = [_REQUIREMENTS, *sorted(file for file in _TRIAL_MODULE.glob("*/*") if file.suffix in {".py", ".cfg"})]
    return b"\0".join(file.read_bytes() for file in files)


def _seeded(home: Path, programs: Path, say: Say) -> Path:
    year = str(datetime.now(UTC).year).encode()  # the seed opens the fiscal years of this year and the next
    made_of = b"\0".join([_made_of(), _SEED.read_bytes(), Path(__file__).read_bytes(), year])
    folder = home / _digest(made_of)
    if folder.exists():
        return folder
    home.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home) as work:
        unfinished = Path(work) / "unfinished"
        unfinished.mkdir(mode=0o700)
        _seed_file(unfinished, programs, say)
        unfinished.rename(folder)
    return folder


def _seed_file(folder: Path, programs: Path, say: Say) -> None:
    passwords = {login: secrets.token_urlsafe(18) for login in LOGINS}
    _write_secret(folder / _PASSWORDS, json.dumps(passwords))
    (folder / f"{DATABASE}.sqlite").touch()  # trytond-admin does not make the file itself
    _seed(folder, programs, passwords, say)


def _seed(folder: Path, programs: Path, passwords: Mapping[str, str], say: Say, *, uri: str = "sqlite://") -> None:
    settings, admin_file = folder / "tryton.conf", folder / "admin"
    settings.write_text(configuration(folder, uri=uri))
    _write_secret(admin_file, passwords["admin"])
    environment = {"TRYTONPASSFILE": str(admin_file)}
    admin = [str(programs / "trytond-admin"), "-c", str(settings), "-d", DATABASE]
    say("Tryton: an empty database")
    _run([*admin, "--all", "--email", "admin@tryton.example"], environment=environment)
    say(f"Tryton: modules {', '.join(MODULES)} and what they need")
    _run([*admin, "-u", *MODULES, "--activate-dependencies"], environment=environment)
    _run([str(programs / "python"), str(_SEED), str(settings), DATABASE, str(folder / _PASSWORDS)], say=say)
    if _TRIAL_MODULE.exists():
        say("Tryton: the module hub_trial")
        with_trial = [*admin, "-u", "hub_trial"]
        if uri == "sqlite://":
            _add_trial(folder, with_trial, environment)
        else:
            _run(with_trial, environment=environment)
    admin_file.unlink()


def _add_trial(folder: Path, command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Activate the module in a copy of the seeded database, and keep the copy beside it."""
    database, aside = folder / f"{DATABASE}.sqlite", folder / "aside.sqlite"
    shutil.copyfile(database, aside)
    _run(command, environment=environment)
    database.rename(folder / _WITH_TRIAL)
    aside.rename(database)


def _write_secret(file: Path, secret: str) -> None:
    file.touch(mode=0o600)
    file.write_text(secret)


def _run(command: Sequence[str], *, say: Say | None = None, environment: Mapping[str, str] | None = None) -> None:
    """Run `command`, telling each line it prints to `say`; raise SetupFailed if it fails."""
    process = subprocess.Popen(  # noqa: S603  # our own programs, with arguments made here
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    lines: list[str] = []
    with process:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            if say is not None:
                say(lines[-1])
    if process.returncode:
        end = "\n".join(lines[-_LINES_OF_OUTPUT_SHOWN:])
        raise SetupFailed(f"{Path(command[0]).name} ended with {process.returncode}:\n{end}")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
