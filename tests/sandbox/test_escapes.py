"""Every way out of a confined process that we know of, tried one by one."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import attacker
import pytest
from sandbox_prison import Prisoner, imprison

from sandbox.host import HostFailed
from sandbox.launch import Zygote

pytestmark = pytest.mark.anyio

AIMED_AT_A_PROCESS = (
    "send a signal",
    "send a signal to a thread",
    "send a signal with a value",
    "send a signal by way of a descriptor",
    "send a signal by way of a device control",
    "hold a process by a descriptor",
    "take a descriptor from a process",
    "trace a process",
    "read another process's memory",
    "write another process's memory",
    "limit another process",
    "slow another process down",
    "pin another process",
)
AIMED_AT_A_FILE = (
    "read a file",
    "write a file",
    "append to a file",
    "change a file's mode",
    "touch a file",
    "delete a file",
    "rename a file",
    "link a file",
)
AIMED_AT_NOTHING = tuple(
    name
    for name in attacker.ATTEMPTS
    if name not in {*AIMED_AT_A_PROCESS, *AIMED_AT_A_FILE, "list a folder", "connect the channel elsewhere"}
)


@pytest.mark.parametrize("name", AIMED_AT_NOTHING)
async def test_it_cannot(name: str, prisoner: Prisoner) -> None:
    outcome = await prisoner.tries(name)

    assert outcome.verdict == "refused", outcome.detail


@pytest.mark.parametrize("name", AIMED_AT_A_PROCESS)
async def test_it_cannot_reach_the_hub_or_the_zygote(name: str, prisoner: Prisoner, zygote: Zygote) -> None:
    outcomes = [await prisoner.tries(name, pid) for pid in (os.getpid(), zygote.pid)]

    assert [outcome.verdict for outcome in outcomes] == ["refused", "refused"], outcomes


@pytest.mark.parametrize("name", AIMED_AT_A_FILE)
async def test_it_cannot_touch_a_file_that_everybody_may(name: str, prisoner: Prisoner, open_file: Path) -> None:
    outcome = await prisoner.tries(name, open_file)

    assert outcome.verdict == "refused", outcome.detail
    assert look_of(open_file) == ("secret", 0o666)


@pytest.mark.parametrize(
    "path",
    [
        "/etc/shadow",
        "/etc/passwd",
        "/proc/self/environ",
        "/proc/self/maps",
        "/proc/{hub}/environ",
        "/proc/{hub}/mem",
        "/proc/{hub}/cmdline",
        "/proc/{zygote}/environ",
        "/proc/{zygote}/mem",
        "/proc/{zygote}/maps",
        "{tests}/conftest.py",
        "{tests}/../pyproject.toml",
        "{tests}/../hub/settings.py",
    ],
)
async def test_it_cannot_read(path: str, prisoner: Prisoner, zygote: Zygote) -> None:
    tests = Path(attacker.__file__).parent

    outcome = await prisoner.tries("read a file", path.format(hub=os.getpid(), zygote=zygote.pid, tests=tests))

    assert outcome.verdict == "refused"
    assert "PermissionError" in outcome.detail or "FileNotFoundError" in outcome.detail


@pytest.mark.parametrize("folder", ["/", "/proc", "/root", "/home", "/dev", "/etc", "/var", "{tests}"])
async def test_it_cannot_list(folder: str, prisoner: Prisoner) -> None:
    outcome = await prisoner.tries("list a folder", folder.format(tests=Path(attacker.__file__).parent))

    assert outcome.verdict == "refused", outcome.detail


async def test_it_can_read_its_own_code_and_that_of_its_libraries(prisoner: Prisoner) -> None:
    outcomes = [await prisoner.tries("read a file", path) for path in (attacker.__file__, os.__file__, pytest.__file__)]

    assert {outcome.verdict for outcome in outcomes} == {"succeeded"}


async def test_it_cannot_reach_a_unix_socket_that_everybody_may(prisoner: Prisoner, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "door"))
        listening.listen()

        outcomes = [
            await prisoner.tries(name, tmp_path / "door")
            for name in ("open a Unix socket", "connect the channel elsewhere")
        ]

    assert [outcome.verdict for outcome in outcomes] == ["refused", "refused"]


@pytest.mark.parametrize("operation", ["use_another_architecture", "use_the_numbers_of_x32"])
async def test_a_call_under_another_architecture_is_death(operation: str, zygote: Zygote) -> None:
    prisoner = await imprison(zygote)

    with pytest.raises(HostFailed, match=r"forbidden system call|crashed"):
        await prisoner.run(operation)


async def test_a_fork_bomb_does_not_go_off(prisoner: Prisoner) -> None:
    result = await prisoner.run("bomb")

    assert result.model_dump()["output"] == {"verdict": "refused", "detail": "0"}


async def test_the_kernel_agrees_that_it_is_confined(prisoner: Prisoner) -> None:
    status = status_of(prisoner.pid)
    reading_only = 1 << 2

    assert status["Uid"].split() == ["65534"] * 4
    assert status["Gid"].split() == ["65534"] * 4
    assert status["Groups"].split() == []
    assert status["Seccomp"] == "2"
    assert status["NoNewPrivs"] == "1"
    assert status["Threads"] == "1"
    assert int(status["CapEff"], 16) & ~reading_only == 0
    assert int(status["CapPrm"], 16) & ~reading_only == 0
    assert str(prisoner.host.confinement) == "full"


async def test_it_holds_no_descriptor_but_its_channel_and_its_own_loop(prisoner: Prisoner) -> None:
    held = descriptors_of(prisoner.pid)

    assert {held["0"], held["1"], held["2"]} == {"/dev/null"}
    others = sorted(target.partition(":")[0] for name, target in held.items() if int(name) > 2)
    # its own loop has an epoll and a pair of sockets
    assert others == ["anon_inode", "socket", "socket", "socket"]


async def test_the_zygote_knows_nothing_worth_stealing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLHUB_MASTER_KEY", "the hub's own secret")
    async with Zygote().running() as started_now:
        held = await imprison(started_now)
        held.host.end()
        environment = environment_of(started_now.pid)

    assert environment == ["LC_ALL=C.UTF-8", "TZ=UTC"]


async def test_it_leaves_no_image_of_its_memory_and_dies_before_the_hub_does(prisoner: Prisoner) -> None:
    assert core_limit_of(prisoner.pid) == ["0", "0"]
    assert owners_of(prisoner.pid) == {0}, "what could be dumped belongs to its user"
    assert first_to_die(prisoner.pid)


async def test_the_zygote_has_no_network(zygote: Zygote, prisoner: Prisoner) -> None:
    ours, zygotes, prisoners = (network_of(pid) for pid in (os.getpid(), zygote.pid, prisoner.pid))

    assert zygotes == prisoners
    assert (zygotes != ours) == (os.geteuid() == 0)


async def test_another_prisoner_is_not_disturbed(zygote: Zygote, prisoner: Prisoner) -> None:
    burning, hung = await imprison(zygote), await imprison(zygote)
    busy = [asyncio.create_task(burning.run("burn")), asyncio.create_task(hung.run("forge", frame=""))]
    await asyncio.sleep(0)  # both are at it now; an answer that is there already lets nobody else run
    assert burning.host.calls == hung.host.calls == 1

    outcome = await prisoner.run("count")

    assert outcome.model_dump()["kind"] == "done"
    for run in busy:
        run.cancel()
    assert all(isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*busy, return_exceptions=True))
    assert burning.host.is_ended
    assert hung.host.is_ended


def test_the_attempts_are_genuine(open_file: Path) -> None:
    """Where nothing holds it, the attacker gets through: so what is refused above is refused by the confinement."""
    names = [
        *("open a TCP socket", "open a UDP socket", "open a pair of sockets", "fork", "start a thread"),
        *("spawn a program", "run a program", "read a file", "append to a file", "change a file's mode"),
        *("touch a file", "link a file", "make a file in memory", "read the environment", "open many files"),
        "send a signal",
    ]
    aim = {"send a signal": str(os.getpid()), **dict.fromkeys(AIMED_AT_A_FILE, str(open_file))}
    program = (
        "import attacker, json, sys\n"
        "print(json.dumps({n: attacker.tried(n, w).verdict for n, w in json.loads(sys.argv[1])}))"
    )

    aimed = json.dumps([(name, aim.get(name, "")) for name in names])
    ran = subprocess.run([sys.executable, "-c", program, aimed], check=True, capture_output=True, text=True)

    assert json.loads(ran.stdout) == dict.fromkeys(names, "succeeded")


def look_of(file: Path) -> tuple[str, int]:
    return file.read_text(), file.stat().st_mode & 0o777


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def descriptors_of(pid: int) -> dict[str, str]:
    return {path.name: str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()}


def core_limit_of(pid: int) -> list[str]:
    (line,) = (line for line in Path(f"/proc/{pid}/limits").read_text().splitlines() if "core file" in line)
    return line.split()[4:6]


def owners_of(pid: int) -> set[int]:
    return {Path(f"/proc/{pid}/{name}").stat().st_uid for name in ("mem", "environ", "maps")}


def first_to_die(pid: int) -> bool:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text()) > int(Path("/proc/self/oom_score_adj").read_text())


def environment_of(pid: int | None) -> list[str]:
    return sorted(Path(f"/proc/{pid}/environ").read_text().rstrip("\0").split("\0"))


def network_of(pid: int | None) -> str:
    return str(Path(f"/proc/{pid}/ns/net").readlink())


@pytest.fixture
def open_file(tmp_path: Path) -> Path:
    """A file that everybody may read, write and reach."""
    file = tmp_path / "open"
    file.write_text("secret")
    file.chmod(0o666)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder.parent not in {Path("/"), folder}:
            folder.chmod(0o755)
    return file
