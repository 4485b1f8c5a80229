"""MCP servers over standard input and output: started by allowed commands alone, kept, and never left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from execution_house import order
from federation_servers import ME, Federated, program, text_of

from connectors.mcp_upstream import Owner
from hub.core.errors import InputError
from hub.execution import Failed, Reachable, Succeeded, Unknown
from hub.registry import Environment
from sandbox.mcp import StdioWay
from sandbox.mcp.patience import MESSAGE, NONSENSE, Patience
from sandbox.programs import Program

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("manner", ["honest", "legacy"])
async def test_a_program_is_found_and_called_in_both_eras(federated: Federated, manner: str) -> None:
    house = await federated.connect(federated.over_stdio(manner))

    spec = await federated.discovered(house)
    ran = await house.read(spec, "echo", text="hello")
    health = await house.executor.check_connection(spec, house.connection)

    assert isinstance(ran.outcome, Succeeded), ran
    assert text_of(ran.outcome) == "hello"
    assert isinstance(health, Reachable)
    assert spec.operation("echo").binding["version"] == ("2025-11-25" if manner == "legacy" else "2026-07-28")


async def test_a_server_made_with_the_sdk_answers_over_stdio(federated: Federated, tmp_path: Path) -> None:
    sums = program("upstream.mcp_server", "--stdio", "--database", str(tmp_path / "effects.sqlite"))
    house = await federated.connect(federated.allow("sums", sums))

    spec = await federated.discovered(house, Owner(name="sums", reads=frozenset({"add"})))
    read = await house.read(spec, "add", a=1, b=2)
    written = await house.commit(spec, "notes_post", order(), text="hi")

    assert isinstance(read.outcome, Succeeded), read
    assert read.outcome.output["structuredContent"] == {"sum": 3}
    assert isinstance(written.outcome, Succeeded), written


async def test_one_process_serves_many_calls_and_is_started_again_when_it_died(federated: Federated) -> None:
    house = await federated.connect(federated.over_stdio("honest"))
    spec = await federated.discovered(house)
    before = await _keeper(federated, house.connection, spec)

    again = [await house.read(spec, "echo", text=str(number)) for number in range(3)]
    during = await _keeper(federated, house.connection, spec)
    assert before is not None
    os.kill(before, signal.SIGKILL)
    after, until = before, time.monotonic() + 60
    while after in {before, None} and time.monotonic() < until:
        ran = await house.read(spec, "echo", text="after")
        after = await _keeper(federated, house.connection, spec)

    assert [text_of(one.outcome) for one in again] == ["0", "1", "2"]
    assert before == during
    assert after not in {before, None}
    assert isinstance(ran.outcome, Succeeded), ran


async def test_only_what_the_operator_allows_is_started(federated: Federated) -> None:
    unknown = await federated.connect("stdio:rm-rf")
    url = federated.allow("dev-only", replace(program("upstream.unruly", "stdio", "honest"), environments=frozenset()))
    forbidden = await federated.connect(url)

    no_such = await federated.undiscovered(unknown)
    not_here = await federated.undiscovered(forbidden)

    assert "operator allows some in TOOLHUB_STDIO_SERVERS" in no_such.message
    assert "runs unconfined, which is not allowed in dev" in not_here.message
    assert Environment.PROD.value not in Program(command=("true",)).environments


@pytest.mark.parametrize("url", ["stdio:", "stdio:../sh", "stdio:/bin/sh", "stdio://sh", "stdio:a b"])
async def test_a_base_url_can_name_a_program_and_nothing_else(federated: Federated, url: str) -> None:
    with pytest.raises(InputError, match="stdio:NAME"):
        await federated.connect(url)


async def test_a_program_gets_its_own_secret_and_nothing_of_the_hubs_environment(
    federated: Federated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLHUB_MASTER_KEY", "the-key-of-everything")
    tells = replace(program("upstream.revealing"), secrets={"ACCESS": "token"})
    house = await federated.connect(federated.allow("revealing", tells))
    await house.connect("stdio:revealing", {"token": "sesame-open-now"})
    spec = await federated.discovered(house, Owner(name="revealing", reads=frozenset({"environment"})))

    ran = await house.read(spec, "environment")

    assert isinstance(ran.outcome, Succeeded), ran
    told = text_of(ran.outcome)
    assert "ACCESS=[redacted]" in told
    assert "sesame-open-now" not in told
    assert "TOOLHUB" not in told
    assert "the-key" not in told


async def test_a_program_cannot_touch_what_is_hidden(federated: Federated, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "master.key").write_text("the-key-of-everything")
    (tmp_path / "notes.txt").write_text("anybody may read this")
    spies = replace(program("upstream.revealing"), hidden=(home,))
    house = await federated.connect(federated.allow("spying", spies))
    spec = await federated.discovered(house, Owner(name="revealing", reads=frozenset({"file"})))

    hidden = await house.read(spec, "file", path=str(home / "master.key"))
    beside = await house.read(spec, "file", path=str(tmp_path / "notes.txt"))
    memory = await house.read(spec, "file", path=f"/proc/{os.getpid()}/environ")

    assert isinstance(hidden.outcome, Succeeded), hidden
    assert text_of(hidden.outcome) == "PermissionError"
    assert isinstance(beside.outcome, Succeeded), beside
    assert text_of(beside.outcome) == "anybody may read this"
    assert isinstance(memory.outcome, Succeeded), memory
    assert text_of(memory.outcome) == "PermissionError"


async def test_a_program_cannot_name_a_process_outside_to_end_it(federated: Federated) -> None:
    house = await federated.connect(federated.allow("reaching", program("upstream.revealing")))
    spec = await federated.discovered(house, Owner(name="revealing", reads=frozenset({"process"})))
    keeper = await _keeper(federated, house.connection, spec)

    of_keeper = await house.read(spec, "process", path=str(keeper))
    of_hub = await house.read(spec, "process", path=str(os.getpid()))

    asked = "from sandbox.isolation import own_processes; raise SystemExit(not own_processes())"
    can_be_apart = (await asyncio.to_thread(subprocess.run, [sys.executable, "-c", asked], check=False)).returncode == 0
    expected = "ProcessLookupError" if can_be_apart else "PermissionError"
    assert isinstance(of_keeper.outcome, Succeeded), of_keeper
    assert isinstance(of_hub.outcome, Succeeded), of_hub
    assert [text_of(of_keeper.outcome), text_of(of_hub.outcome)] == [expected, expected]


async def test_a_command_that_is_not_there_is_no_doubt_for_a_write(federated: Federated) -> None:
    honest = await federated.connect(federated.over_stdio("honest"))
    spec = await federated.discovered(honest, Owner(name="echo"))
    house = await federated.connect(federated.allow("missing", Program(command=("/no/such/program",), user=ME)))

    ran = await house.commit(spec, "echo", order(), text="hi")

    assert isinstance(ran.outcome, Failed), ran
    assert ran.outcome.code == "upstream_unavailable"


@pytest.mark.parametrize(
    ("allowed", "why"),
    [
        (
            Program(command=("/no/such/program",), user=ME),
            "Its command cannot be used: No such file or directory (/no/such/program).",
        ),
        (Program(command=("/etc/passwd",), user=ME), "Its command cannot be used: Permission denied (/etc/passwd)."),
        (Program(command=("/bin/sh",), user=ME, folder="/no/such"), "Its folder cannot be used: No such file or"),
        (Program(command=("/bin/sh", "-c", "exit 7"), user=ME), "It ended with code 7."),
        (Program(command=("/bin/sh", "-c", "kill -9 $$"), user=ME), "It was ended by signal 9."),
    ],
    ids=["missing", "no-program", "folder", "code", "signal"],
)
async def test_why_a_program_does_not_answer_is_said_each_time(
    federated: Federated, allowed: Program, why: str
) -> None:
    house = await federated.connect(federated.allow("ill", allowed))

    told = [(await federated.undiscovered(house)).message for _ in range(2)]

    assert [why in one for one in told] == [True, True], told
    assert ["It runs as the user" in one for one in told] == [os.geteuid() == 0] * 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs programs as somebody else")
async def test_as_whom_a_program_runs_is_said_where_it_does_not_answer(federated: Federated) -> None:
    unnamed = await federated.connect(federated.allow("unnamed", Program(command=("/bin/false",))))
    unknown = await federated.connect(federated.allow("unknown", Program(command=("/bin/false",), user="no-such")))

    assert (
        "It ended with code 1. It runs as the user nobody, who has to be able to read and run it;"
        in (await federated.undiscovered(unnamed)).message
    )
    assert "There is no such user. It runs as the user no-such." in (await federated.undiscovered(unknown)).message


async def test_a_program_that_dies_during_a_write_leaves_a_doubt(federated: Federated) -> None:
    house = await federated.connect(federated.over_stdio("crash"))
    spec = await federated.discovered(house, Owner(name="echo"))

    ran = await house.commit(spec, "echo", order(), text="hi")

    assert isinstance(ran.outcome, Unknown), ran


async def test_who_stops_waiting_takes_nobody_elses_process_away(federated: Federated) -> None:
    house = await federated.connect(federated.over_stdio("honest"))
    spec = await federated.discovered(house)
    before = await _keeper(federated, house.connection, spec)

    for turns in range(12):
        call = asyncio.create_task(house.read(spec, "echo", text="never mind"))
        for _ in range(turns):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
    ran = await house.read(spec, "echo", text="still here")

    assert isinstance(ran.outcome, Succeeded), ran
    assert await _keeper(federated, house.connection, spec) == before


async def test_a_program_that_never_stops_speaking_is_ended_and_its_calls_say_so(federated: Federated) -> None:
    shouting = await federated.connect(federated.over_stdio("shouting"))
    honest = await federated.connect(federated.over_stdio("honest"))
    spec = await federated.discovered(shouting)
    keeper = await _keeper(federated, shouting.connection, spec)
    assert keeper is not None
    family = _descendants(keeper)

    calls = [asyncio.create_task(shouting.read(spec, "echo", 60.0, text="hello")) for _ in range(3)]
    beside = await honest.read(spec, "echo", text="good")
    ran = await asyncio.gather(*calls)

    assert text_of(beside.outcome) == "good"
    assert [isinstance(one.outcome, Failed) for one in ran] == [True] * 3, ran
    assert "says more than it may" in ran[0].outcome.message  # type: ignore[union-attr]  # asserted above
    assert await asyncio.to_thread(_left_of, family) == []


def test_patience_ends_with_a_flood_and_comes_back_with_time() -> None:
    patience = Patience(_filled_at=0.0)
    flood = [patience.bears(MESSAGE, 40, at=0.0) for _ in range(20_000)]
    quiet = Patience(_filled_at=0.0)
    for second in range(100):
        assert all(quiet.bears(MESSAGE, 40, at=float(second)) for _ in range(900))

    assert 9_000 < flood.index(False) < 10_001
    assert not patience.bears(MESSAGE, 40, at=1.0)
    assert patience.bears(MESSAGE, 40, at=60.0)
    assert not Patience(_filled_at=0.0).bears(MESSAGE, 64 * 1024 * 1024, at=0.0)
    assert [Patience(_filled_at=0.0).bears(NONSENSE * count, 0, at=0.0) for count in (200, 201)] == [True, False]


async def test_everything_a_program_started_ends_with_its_way(federated: Federated) -> None:
    del federated
    way = StdioWay(program("upstream.unruly", "stdio", "family"), _no_secrets)
    await way.probe()
    keeper = way.keeper_pid
    assert keeper is not None
    family = _descendants(keeper)

    await way.close()

    assert len(family) >= 2
    assert not [pid for pid in family if _is_alive(pid)]


@pytest.mark.parametrize("manner", ["family", "rebel"])
def test_nothing_is_left_when_the_hub_is_killed(tmp_path: Path, manner: str) -> None:
    script = tmp_path / "killed.py"
    script.write_text(
        "import asyncio, sys\n"
        "from federation_servers import program\n"
        "from sandbox.mcp import StdioWay\n"
        "async def main():\n"
        "    async def nothing(): return {}\n"
        "    way = StdioWay(program('upstream.unruly', 'stdio', sys.argv[1]), nothing)\n"
        "    await way.probe()\n"
        "    print(way.keeper_pid, flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    here = Path(__file__).parent
    path = os.pathsep.join([str(here), str(here.parent), str(here.parent / "execution")])
    with subprocess.Popen(
        [sys.executable, str(script), manner], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    ) as hub:
        assert hub.stdout is not None
        keeper = int(hub.stdout.readline())
        family = [keeper, *_descendants(keeper)]
        hub.kill()
        hub.wait()

    assert len(family) >= 3
    assert _left_of(family) == []


def _left_of(family: list[int]) -> list[int]:
    """Return which processes do not end, however long they are given."""
    until = time.monotonic() + 60
    while any(_is_alive(pid) for pid in family) and time.monotonic() < until:
        time.sleep(0.02)
    return [pid for pid in family if _is_alive(pid)]


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _descendants(pid: int) -> list[int]:
    found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*found, *(more for child in found for more in _descendants(child))]


async def _no_secrets() -> dict[str, str]:
    return {}


async def _keeper(federated: Federated, connection: object, spec: object) -> int | None:
    upstreams = federated.house.executor._upstreams
    async with upstreams.to(spec, connection) as way:  # type: ignore[arg-type]  # looked inside
        assert isinstance(way, StdioWay)
        return way.keeper_pid
