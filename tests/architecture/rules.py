"""Owns the house rules about code: each takes a tree and returns a sentence for everything that breaks it."""

import ast
import re
from collections.abc import Iterator

from architecture.tree import Tree, calls, imports

LONGEST_FILE = 400
LONGEST_TEMPLATE = 150
_LISTS_OF_TABLES = "hub/storage/migrations/versions/"
_VAGUE = re.compile(r"(^|/)(utils?|commons?|services?|helpers?|managers?|misc|stuff)(\.py|/)")
_SUPPRESSIONS = re.compile(r"#\s*(noqa|type:\s*ignore|pyright:\s*ignore)")
_JUSTIFIED = re.compile(
    r"#\s(noqa:\s[A-Z]+\d+(,\s?[A-Z]+\d+)*|type:\signore\[[\w, -]+\]|pyright:\signore\[\w+(,\s?\w+)*\])\s\s#\s\S+"
)
_WHOLE_FILE = re.compile(r"#\s*(ruff|flake8|mypy|pyright):\s*(noqa|disable|basic|ignore-errors|standard|off)")
_READS_SETTINGS = (
    "hub/settings.py",
    "hub/opening.py",
    "hub/wiring.py",
    "hub/app.py",
    "hub/worker.py",
    "hub/cli/",
    "hub/__main__.py",
)


def files_are_short(tree: Tree) -> Iterator[str]:
    """A file that nobody can hold in mind is two files."""
    for path, text in tree.ending(".py", ".css", ".cedar"):
        lines = text.count("\n")
        if lines > LONGEST_FILE and not path.startswith(_LISTS_OF_TABLES):
            yield f"{path} has {lines} lines; {LONGEST_FILE} are the most"


def templates_are_short(tree: Tree) -> Iterator[str]:
    """A long page is made of parts."""
    for path, text in tree.ending(".html", under=("hub/",)):
        lines = text.count("\n")
        if lines > LONGEST_TEMPLATE:
            yield f"{path} has {lines} lines; {LONGEST_TEMPLATE} are the most"


def modules_say_what_they_own(tree: Tree) -> Iterator[str]:
    """The first sentence of a module tells a reader whether to read on."""
    for path, text in tree.ending(".py"):
        if not ast.get_docstring(ast.parse(text)):
            yield f"{path} has no docstring: say in one sentence what it owns"


def modules_have_telling_names(tree: Tree) -> Iterator[str]:
    """A drawer for everything fills up with everything."""
    for path in tree.files:
        if path.endswith(".py") and _VAGUE.search(path):
            yield f"{path} is named after no idea of the domain"


def only_storage_commits(tree: Tree) -> Iterator[str]:
    """A transaction ends where its block ends, so that a reader sees what is one commit."""
    for path, module in tree.product():
        for call, name in calls(module):
            ends = name.endswith((".commit", ".rollback")) and not call.args and not call.keywords
            if ends and path.startswith("hub/") and not path.startswith("hub/storage/"):
                yield f"{path}:{call.lineno} calls {name}(): use `async with database.transaction() as tx:`"


def only_the_mcp_door_serves_mcp(tree: Tree) -> Iterator[str]:
    """One door for agents; nothing below it knows how they come in."""
    for path, module in tree.product():
        for line, name in imports(module):
            if (name == "mcp.server" or name.startswith("mcp.server.")) and not path.startswith("hub/mcp/"):
                yield f"{path}:{line} imports {name}: only hub/mcp serves MCP"


def connections_are_judged_in_one_place(tree: Tree) -> Iterator[str]:
    """Two pieces of code that decide where connections lead come apart, and only one of them is mended."""
    for path, module in tree.product():
        for node in ast.walk(module):
            called = [node.func] if isinstance(node, ast.Call) else node.bases if isinstance(node, ast.ClassDef) else []
            named = {ast.unparse(one).rpartition(".")[2] for one in called}
            if (
                named & {"AsyncConnectionPool", "AsyncNetworkBackend", "AsyncHTTP11Connection"}
                and path != "sandbox/judged.py"
            ):
                yield f"{path}:{node.lineno} opens connections itself: take a pool of sandbox/judged.py"
            if "AsyncClient" in named and path.startswith("hub/") and path != "hub/outbound/named.py":
                yield f"{path}:{node.lineno} makes a client of its own: take one of hub/outbound"


def cancellations_arrive(tree: Tree) -> Iterator[str]:
    """`wait_for` of Python 3.11 swallows a cancellation that meets its end, and whoever cancelled waits for ever."""
    for path, module in tree.product():
        named = [(node.lineno, ast.unparse(node)) for node in ast.walk(module) if isinstance(node, ast.Attribute)]
        for line, name in [*named, *imports(module)]:
            if name == "asyncio.wait_for":
                yield f"{path}:{line} uses asyncio.wait_for: use `async with asyncio.timeout(...):`"


def settings_are_handed_down(tree: Tree) -> Iterator[str]:
    """Who reads settings deep inside can be configured only for the whole process."""
    for path, module in tree.product():
        if path.startswith(_READS_SETTINGS) or not path.startswith("hub/"):
            continue
        for line, name in imports(module):
            if name.startswith(("hub.settings", "pydantic_settings", "os.environ", "os.getenv")):
                yield f"{path}:{line} imports {name}: take the value as an argument"
        for call, name in calls(module):
            if name in {"os.getenv", "os.environ.get", "environ.get"}:
                yield f"{path}:{call.lineno} reads the environment: take the value as an argument"


def suppressions_are_justified(tree: Tree) -> Iterator[str]:
    """What is silenced says which rule, and why the rule is wrong here."""
    for place, comment in tree.comments():
        if _WHOLE_FILE.search(comment):
            yield f"{place} silences a whole file"
        elif _SUPPRESSIONS.search(comment) and not _JUSTIFIED.search(comment):
            yield f"{place} needs `code]  # reason` after its suppression: {comment}"


def nothing_is_left_for_later(tree: Tree) -> Iterator[str]:
    """Work that is not done is told where work is planned, not in the code."""
    for place, comment in tree.comments():
        if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", comment):
            yield f"{place} leaves something for later: {comment}"


def no_test_is_passed_over_in_silence(tree: Tree) -> Iterator[str]:
    """A test that does not run proves nothing, and has to say why it is there."""
    for path, module in tree.tests():
        for node in ast.walk(module):
            if isinstance(node, ast.Attribute | ast.Name) and _passes_over(ast.unparse(node)):
                yield from _without_reason(path, module, node)


def _passes_over(name: str) -> bool:
    return bool(re.fullmatch(r"(pytest\.)?(mark\.)?(skip|skipif|xfail|importorskip)", name)) and name != "skip"


def _without_reason(path: str, module: ast.Module, used: ast.Attribute | ast.Name) -> Iterator[str]:
    for call, _ in calls(module):
        if call.func is used and (any(word.arg == "reason" for word in call.keywords) or _is_told(call)):
            return
    yield f"{path}:{used.lineno} passes over a test without a reason"


def _is_told(call: ast.Call) -> bool:
    first = call.args[0] if call.args else None
    return isinstance(first, ast.Constant) and isinstance(first.value, str) and " " in first.value
