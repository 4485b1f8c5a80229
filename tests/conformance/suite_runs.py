"""Runs of the conformance suite: what each check of each scenario came to, and how two runs differ."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from locked_packages import NODE

from conformance.installation import install

Json = Any
Visit = Callable[[str], Awaitable[None]]

OLDER, NEWER = "2025-11-25", "2026-07-28"
LONGEST_SECONDS: Final = 900
_RESULT: Final = re.compile(r"(?:authorization-server-(?=auth)|server-)?(.+)-\d{4}-\d\d-\d\dT[-\dZ]+")
_RANKS: Final = ("SUCCESS", "INFO", "SKIPPED", "WARNING", "FAILURE")
_OF_THE_SUITE: Final = "wire-schema-harness-error"
"""What the suite notices about itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the occurrences of one check in one scenario came to: the worst of them."""

    status: str
    count: int = 1
    message: str = ""

    @property
    def passed(self) -> bool:
        """Whether the suite counts it as passed."""
        return self.status == "SUCCESS"

    def beside(self, other: "Verdict") -> "Verdict":
        """Return what both come to."""
        worse = max(self, other, key=lambda one: _RANKS.index(one.status))
        return Verdict(status=worse.status, count=self.count + other.count, message=worse.message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The checks of a run, by scenario and check."""

    checks: Mapping[tuple[str, str], Verdict]
    tally: Mapping[str, int]
    """How many single checks came to each status."""

    @property
    def passed(self) -> int:
        """How many single checks passed."""
        return self.tally.get("SUCCESS", 0)

    @property
    def counted(self) -> int:
        """How many either passed or failed."""
        return self.passed + self.tally.get("FAILURE", 0)

    @property
    def scenarios(self) -> set[str]:
        """The scenarios that were played."""
        return {scenario for scenario, _ in self.checks}

    @property
    def skipped(self) -> set[str]:
        """The scenarios of which the suite itself left something out."""
        return {scenario for (scenario, _), one in self.checks.items() if one.status == "SKIPPED"}

    def reaches(self, passed: int, counted: int) -> bool:
        """Return whether at least so many checks passed, and at least so many were made."""
        return self.passed >= passed and self.counted >= counted

    @property
    def failures(self) -> dict[tuple[str, str], str]:
        """What failed, and why."""
        return {which: one.message for which, one in self.checks.items() if one.status == "FAILURE"}


async def run(url: str, revision: str, folder: Path, *options: str) -> Run:
    """Return what every scenario of a revision makes of the server at `url`; the suite writes into `folder`."""
    return await _ran("server", "--url", url, "--spec-version", revision, "-o", str(folder), *(options or _ALL))


_ALL: Final = ("--suite", "all")


async def run_each(url: str, scenarios: Sequence[str], folder: Path) -> Run:
    """Return what single scenarios make of the server at `url`."""
    for number, one in enumerate(scenarios):
        await _ran("server", "--url", url, "--scenario", one, "-o", str(folder / f"{number:02}"))
    return await asyncio.to_thread(_results, folder)


async def run_authorization(issuer: str, visit: Visit, folder: Path, *options: str) -> Run:
    """Return what the scenarios of authorization servers make of `issuer`; `visit` goes where a browser is sent."""

    async def heed(line: str) -> None:
        if line.startswith(issuer):
            await visit(line)

    return await _ran("authorization", "--url", issuer, "-o", str(folder), *options, heed=heed)


async def _ran(*arguments: str, heed: Visit | None = None) -> Run:
    """Run the suite, and let `heed` see each line that it prints."""
    folder = Path(arguments[arguments.index("-o") + 1])
    program = await asyncio.to_thread(install)
    process = await asyncio.create_subprocess_exec(
        str(NODE), str(program), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        said = await asyncio.wait_for(_said(process, heed), LONGEST_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return told(process.returncode, await asyncio.to_thread(_results, folder), said)


def told(exit_code: int, found: Run, said: str) -> Run:
    """Return what was found, if the suite ended as it does after that: with 1 if, and only if, something failed."""
    assert found.checks, said[-2000:]
    assert exit_code == int(bool(found.failures)), f"it ended with {exit_code}:\n{said[-2000:]}"
    return found


async def _said(process: asyncio.subprocess.Process, heed: Visit | None) -> str:
    assert process.stdout is not None
    said = list[str]()
    async for line in process.stdout:
        said.append(line.decode(errors="replace"))
        if heed is not None:
            await heed(said[-1].strip())
    await process.wait()
    return "".join(said)


def _results(folder: Path) -> Run:
    checks, tally = dict[tuple[str, str], Verdict](), Counter[str]()
    for file in sorted(folder.rglob("checks.json")):
        named = _RESULT.fullmatch(file.parent.name)
        assert named is not None, file
        for found in json.loads(file.read_text()):
            tally[found["status"]] += 1
            which = (named[1], str(found["id"]))
            verdict = Verdict(status=found["status"], message=str(found.get("errorMessage") or ""))
            checks[which] = checks[which].beside(verdict) if which in checks else verdict
    return Run(checks=checks, tally=tally)


def lost(direct: Run, through: Run) -> dict[tuple[str, str], str]:
    """Return the checks that pass directly and not through something else, with what came instead."""
    found = dict[tuple[str, str], str]()
    for which, one in direct.checks.items():
        other = through.checks.get(which)
        if one.passed and which[1] != _OF_THE_SUITE and (other is None or not other.passed):
            found[which] = "it was never reached" if other is None else f"{other.status}: {other.message}"
    return found


def table(direct: Run, through: Run) -> str:
    """Return, scenario by scenario, how many checks passed directly and through something else."""
    scenarios = sorted({scenario for scenario, _ in direct.checks} | {scenario for scenario, _ in through.checks})
    rows = [(one, _share(direct, one), _share(through, one)) for one in scenarios]
    whole = ("all", f"{direct.passed}/{direct.counted}", f"{through.passed}/{through.counted}")
    lines = [("scenario", "direct", "through"), *rows, whole]
    return "\n".join(f"{first:<52} {second:>9} {third:>9}" for first, second, third in lines)


def listed(run: Run) -> str:
    """Return every check of a run with what it came to."""
    return "\n".join(
        f"{scenario}: {check}: {one.status} {one.message}" for (scenario, check), one in sorted(run.checks.items())
    )


def _share(run: Run, scenario: str) -> str:
    mine: Sequence[Verdict] = [one for (of, _), one in run.checks.items() if of == scenario]
    judged = [one for one in mine if one.status in {"SUCCESS", "FAILURE", "WARNING"}]
    return f"{sum(one.count for one in judged if one.passed)}/{sum(one.count for one in judged)}"
