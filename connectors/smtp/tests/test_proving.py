"""The contract kit on mail servers that nobody here wrote: promises are kept, and no undo is claimed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from upstream.certificates import for_localhost

from connectors.smtp import relay
from connectors.smtp.tests.postbox import LOGIN, in_the_clear
from hub.invocations.proving.session import check_live
from hub.registry import BadgeVerdict, Promise

Json = Any
KEPT = {
    Promise.FENCE,
    Promise.UNTOUCHED,
    Promise.DIGEST,
    Promise.PERMIT,
    Promise.THROTTLING,
    Promise.UNKNOWN_FIELDS,
    Promise.ERRORS,
}


@pytest.mark.anyio
@pytest.mark.more
async def test_mail_keeps_what_it_promises_and_promises_neither_undo_nor_a_second_attempt() -> None:
    async with in_the_clear() as box:
        badge = await check_live(relay.spec, box)

    lines = {line.promise: line for line in badge.lines}
    assert {promise for promise, line in lines.items() if line.verdict is BadgeVerdict.PASSED} == KEPT
    assert badge.is_clean
    assert lines[Promise.UNDO].reason == "It declares no undo."
    assert "never repeats it" in lines[Promise.ONCE].reason
    assert len(box.mails) == 1


@pytest.mark.more
@pytest.mark.parametrize("server", ["by_starttls", "behind_tls"])
def test_mail_behind_tls_and_a_login_keeps_the_same_and_shows_its_password_to_nobody(
    server: str, tmp_path: Path
) -> None:
    for_localhost(tmp_path)

    badge, told = checked(server, trusts=tmp_path / "certificate.pem", within=tmp_path)

    passed = {line["promise"] for line in badge["lines"] if line["verdict"] == BadgeVerdict.PASSED}
    assert passed == {*KEPT, Promise.SECRETS}
    assert not any(line["verdict"] == BadgeVerdict.FAILED for line in badge["lines"])
    assert LOGIN["password"] not in told


def checked(server: str, *, trusts: Path, within: Path) -> tuple[dict[str, Json], str]:
    """Return the badge that `toolhub connector check` prints, and everything it says, in a process that trusts so."""
    on = f"connectors.smtp.tests.postbox:{server}"
    ran = subprocess.run(  # our own program, with arguments made here
        [sys.executable, "-m", "hub", "connector", "check", "connectors.smtp:connector", "--on", on, "--json"],
        cwd=within,
        env={**os.environ, "SSL_CERT_FILE": str(trusts)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    badge: dict[str, Json] = json.loads(ran.stdout)
    return badge, ran.stdout + ran.stderr
