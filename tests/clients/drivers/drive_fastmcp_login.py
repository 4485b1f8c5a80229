"""Drives FastMCP's client on behalf of a person: it opens the person's browser, which here writes down where to go."""

import os
from pathlib import Path

from drive_fastmcp import make_calls
from fastmcp import Client
from fastmcp.client.auth import OAuth
from turns import Turn, take_turns

BROWSER = '#!/bin/sh\nprintf %s "$1" >"$HOME/address.part" && mv "$HOME/address.part" "$HOME/address"\n'


async def play(turn: Turn) -> None:
    """Make the calls."""
    browser = Path.home() / "browser"
    browser.write_text(BROWSER)
    browser.chmod(0o700)
    os.environ["BROWSER"] = str(browser)
    auth = OAuth(client_id=turn.client_id, client_secret=turn.client_secret, callback_host="127.0.0.1")
    await make_calls(Client(turn.endpoint, auth=auth), turn)


if __name__ == "__main__":
    take_turns(play, "fastmcp")
