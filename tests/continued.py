"""What a worker does with the calls that are due, done once and waited for."""

import asyncio

from hub.invocations.continuing import Continuing
from hub.invocations.runtime import Runtime


async def continue_due(runtime: Runtime) -> int:
    """Continue everything that is due now, wait for it, and return how many calls that were."""
    begun = await Continuing(runtime).turn()
    await asyncio.gather(*begun)
    return len(begun)
