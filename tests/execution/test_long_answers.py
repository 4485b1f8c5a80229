"""What a system answers at length is read and checked while everybody else goes on."""

import pytest
from execution_house import CONNECTION, ITEMS
from going_on import longest_wait

from connectors.sdk.run import Done, Found
from hub.execution import Succeeded, Target, conclude
from hub.execution.conclude import Evidence
from hub.execution.outputs import OutputSchemas
from sandbox.transcript import Transcript

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("kind", [Done, Found])
async def test_others_go_on_while_megabytes_of_an_answer_are_read(kind: type[Done | Found]) -> None:
    target = Target(connector=ITEMS, operation=ITEMS.operation("item_put"), connection=CONNECTION)
    result = kind(output={"numbers": [7] * 1_000_000})
    evidence = Evidence(target=target, result=result, transcript=Transcript(), schemas=OutputSchemas())
    conclusion = conclude.commit if kind is Done else conclude.look_up

    outcome, share = await longest_wait(conclude.concluded(conclusion, evidence))

    assert isinstance(outcome, Succeeded)
    assert share < 1 / 3
