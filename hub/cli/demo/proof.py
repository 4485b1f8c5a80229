"""The demo's audit proof: an export verified from the file alone, and the same with one byte changed found out."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hub.cli.demo.hub_process import HubProcess
from hub.cli.demo.telling import Teller, expect

Json = Any
"""Any JSON value."""

_CHANGED: Final = (b'"choice":"approve"', b'"choice":"bpprove"')
"""One byte in the record of a vote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What `toolhub audit verify` said of the export, and of its altered copy."""

    file: Path
    events: int
    checkpoint_size: int
    open_values: int
    found_out: str


def prove(hub: HubProcess, teller: Teller) -> Proof:
    """Return the proof of everything that has happened, written to `audit.jsonl` in the hub's home.

    Raises:
        Unexpected: the export is not proven, or its altered copy is.
    """
    teller.scene("Anybody can verify what happened")
    file, altered = hub.home / "audit.jsonl", hub.home / "altered.jsonl"
    keys = hub.command("audit", "keys")  # as an auditor would have got them beforehand
    exported = hub.command("audit", "export", str(file), "--with-values", "--json")
    expect(keys.returncode == 0 and exported.returncode == 0, f"The log cannot be exported: {exported.stderr}")
    trusted = [word for key in keys.stdout.split() for word in ("--key", key)]
    report = _verified(hub, file, trusted, exit_code=0)
    expect(report["proven"], f"The export is not proven: {report['findings']}")
    teller.did(f"toolhub audit verify: {report['events']} events, all proven under one signed checkpoint")
    line = _alter(file, altered)
    found = _verified(hub, altered, trusted, exit_code=1)
    places = [(one["line"], one["proof"]) for one in found["findings"]]
    expect((line, "inclusion") in places, f"One byte in line {line} was changed; verify reports {places}.")
    said = next(one["message"] for one in found["findings"] if one["line"] == line)
    teller.did(f"One byte of line {line} changed: exit 1, and it says where:")
    teller.quote(f"line {line}: {said}")
    return Proof(
        file=file,
        events=report["events"],
        checkpoint_size=report["checkpoint"]["size"],
        open_values=report["values"]["open"],
        found_out=f"line {line}: {said}",
    )


def _verified(hub: HubProcess, file: Path, trusted: list[str], *, exit_code: int) -> dict[str, Json]:
    ended = hub.command("audit", "verify", str(file), *trusted, "--json")
    expect(ended.returncode == exit_code, f"Verifying {file.name} ended with {ended.returncode}: {ended.stderr}")
    report: dict[str, Json] = json.loads(ended.stdout)
    return report


def _alter(file: Path, altered: Path) -> int:
    """Write a copy with one byte changed, and return the number of the line it stands in."""
    content = file.read_bytes()
    place = content.find(_CHANGED[0])
    expect(place >= 0, "No vote is in the export.")
    altered.write_bytes(content.replace(*_CHANGED, 1))
    altered.chmod(0o600)
    return content.count(b"\n", 0, place) + 1
