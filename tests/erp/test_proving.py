"""What the demo proves before it begins: on a real Tryton, the write that goes by itself keeps all that it declares."""

from pathlib import Path

import pytest

from connectors.tryton import connector
from connectors.tryton_server import install
from hub.cli.demo.checking import WRITE, check_tools
from hub.registry import BadgeVerdict, Grade, Promise, proof_digest

pytestmark = [pytest.mark.anyio, pytest.mark.tryton]


async def test_the_write_of_the_demo_earns_its_badge_on_a_live_tryton(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    installation = install(request.config.rootpath / ".venvs", print)

    badge = await check_tools(installation, tmp_path)

    assert {(line.operation, line.grade) for line in badge.lines} == {(WRITE, Grade.LIVE)}
    held = {line.promise for line in badge.lines if line.verdict is BadgeVerdict.PASSED}
    assert {Promise.PERMIT, Promise.GUARD, Promise.PREDICTION, Promise.UNDO} <= held
    assert badge.covers == {WRITE: proof_digest(connector.spec, connector.spec.operation(WRITE))}
