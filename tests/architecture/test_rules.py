"""The house rules hold for the whole tree, and each of them notices when they are broken."""

from collections.abc import Callable, Iterator

import pytest

from architecture import papers, rules
from architecture.tree import Tree

Rule = Callable[[Tree], Iterator[str]]

DOC = '"""Owns a sample."""\n'
# Put together here, so that this file does not break the rule itself.
SOMEWHERE = ",root,notes".replace(",", "/")
REGISTRY = "pypi,org".replace(",", ".")
GOOD_DECISION = "# 1. A title\n\n## Context\n\n## Decision\n\n## Consequences\n"

# Each rule with trees that break it in one place.
BROKEN: list[tuple[Rule, dict[str, str]]] = [
    (rules.files_are_short, {"hub/long.py": "\n" * 401}),
    (rules.templates_are_short, {"hub/web/templates/long.html": "\n" * 151}),
    (rules.modules_say_what_they_own, {"hub/silent.py": "x = 1\n"}),
    (rules.modules_have_telling_names, {"hub/core/utils.py": DOC}),
    (rules.modules_have_telling_names, {"hub/registry/service.py": DOC}),
    (rules.modules_have_telling_names, {"tests/helpers/made.py": DOC}),
    (rules.only_storage_commits, {"hub/identity/a.py": "async def f(tx):\n    await tx.commit()\n"}),
    (rules.only_storage_commits, {"hub/web/a.py": "async def f(tx):\n    await tx.rollback()\n"}),
    (rules.only_the_mcp_door_serves_mcp, {"hub/api/a.py": "from mcp.server.lowlevel import Server\n"}),
    (rules.only_the_mcp_door_serves_mcp, {"connectors/a.py": "def f():\n    from mcp import server\n"}),
    (rules.connections_are_judged_in_one_place, {"hub/channels/a.py": "x = httpx2.AsyncClient(timeout=1)\n"}),
    (
        rules.connections_are_judged_in_one_place,
        {"hub/outbound/a.py": "import httpcore2\nx = httpcore2.AsyncConnectionPool()\n"},
    ),
    (
        rules.connections_are_judged_in_one_place,
        {"sandbox/a.py": "import httpcore2\nx = httpcore2.AsyncHTTP11Connection(a, b)\n"},
    ),
    (
        rules.connections_are_judged_in_one_place,
        {"sandbox/a.py": "import httpcore2\nclass A(httpcore2.AsyncNetworkBackend): ...\n"},
    ),
    (rules.cancellations_arrive, {"hub/a.py": "async def f(x):\n    await asyncio.wait_for(x, 1)\n"}),
    (rules.cancellations_arrive, {"sandbox/a.py": "from asyncio import wait_for\n"}),
    (rules.settings_are_handed_down, {"hub/web/a.py": "from hub.settings import Settings\n"}),
    (rules.settings_are_handed_down, {"hub/audit/a.py": "import os\nx = os.environ.get('A')\n"}),
    (rules.settings_are_handed_down, {"hub/audit/a.py": "from os import environ\n"}),
    (rules.suppressions_are_justified, {"hub/a.py": "x = 1  # noqa\n"}),
    (rules.suppressions_are_justified, {"hub/a.py": "x = 1  # noqa: E501\n"}),
    (rules.suppressions_are_justified, {"hub/a.py": "x = 1  # type: ignore  # it is like that\n"}),
    (rules.suppressions_are_justified, {"hub/a.py": "x = 1  # type: ignore[misc]\n"}),
    (rules.suppressions_are_justified, {"hub/a.py": "x = 1  # pyright: ignore[reportX]\n"}),
    (rules.suppressions_are_justified, {"hub/a.py": "# ruff: noqa: E501  # a reason is no excuse\n"}),
    (rules.nothing_is_left_for_later, {"hub/a.py": "x = 1  # TODO: more\n"}),
    (rules.no_test_is_passed_over_in_silence, {"tests/a.py": "@pytest.mark.skip\ndef test_a(): ...\n"}),
    (rules.no_test_is_passed_over_in_silence, {"tests/a.py": "@pytest.mark.skipif(x)\ndef test_a(): ...\n"}),
    (rules.no_test_is_passed_over_in_silence, {"connectors/x/tests/a.py": "pytest.mark.xfail\n"}),
    (rules.no_test_is_passed_over_in_silence, {"tests/a.py": "def test_a():\n    pytest.skip()\n"}),
    (papers.no_machine_is_named, {"hub/a.md": f"see {SOMEWHERE}\n"}),
    (papers.no_machine_is_named, {"Makefile": f"x:\n\tls {SOMEWHERE}\n"}),
    (papers.no_machine_is_named, {"constraints/a.txt": f"--index-url https://{REGISTRY}/simple\n"}),
    (papers.constraints_only_pin, {"constraints/a.txt": "anyio>=4\n"}),
    (papers.constraints_only_pin, {"constraints/a.txt": "anyio @ https://example.org/anyio.whl\n"}),
    (papers.decisions_are_numbered, {"hub/decisions/why.md": GOOD_DECISION}),
    (papers.decisions_are_numbered, {"hub/decisions/0001-a.md": GOOD_DECISION.replace("1.", "2.")}),
    (papers.decisions_are_numbered, {"hub/decisions/0001-a.md": GOOD_DECISION.replace("## Context", "")}),
    (
        papers.decisions_are_numbered,
        {"hub/decisions/0001-a.md": GOOD_DECISION, "hub/decisions/0001-b.md": GOOD_DECISION},
    ),
    (papers.decisions_are_numbered, {"hub/decisions/0002-a.md": GOOD_DECISION.replace("1.", "2.")}),
    (papers.blocks_can_be_read, {"README.md": "```python\nx = (\n```\n"}),
    (papers.blocks_can_be_read, {"README.md": "```json\n{,}\n```\n"}),
    (papers.blocks_can_be_read, {"README.md": "```\nanything\n```\n"}),
    (papers.commands_exist, {"README.md": "```sh\nmake coffee\n```\n", "Makefile": "tea:\n"}),
    (papers.links_lead_somewhere, {"hub/README.md": "[there](../nowhere.md)\n"}),
]

# What looks like a breach and is none.
KEPT: list[tuple[Rule, dict[str, str]]] = [
    (rules.files_are_short, {"hub/full.py": "\n" * 400}),
    (rules.only_storage_commits, {"hub/storage/database.py": "session.commit()\n"}),
    (rules.only_storage_commits, {"hub/invocations/commit.py": "executor.commit(target, order=order)\n"}),
    (rules.connections_are_judged_in_one_place, {"hub/outbound/named.py": "x = httpx2.AsyncClient()\n"}),
    (rules.connections_are_judged_in_one_place, {"sandbox/judged.py": "x = httpcore2.AsyncConnectionPool()\n"}),
    (rules.connections_are_judged_in_one_place, {"hub/a.py": "def f(x: httpcore2.AsyncConnectionPool): ...\n"}),
    (rules.only_the_mcp_door_serves_mcp, {"hub/mcp/door.py": "import mcp.server.lowlevel\n"}),
    (rules.only_the_mcp_door_serves_mcp, {"connectors/a.py": "from mcp_types import Tool\n"}),
    (rules.cancellations_arrive, {"tests/a.py": "async def f(x):\n    await asyncio.wait_for(x, 1)\n"}),
    (rules.cancellations_arrive, {"hub/a.py": "async def f(x):\n    await _wait_for(x, 1)\n"}),
    (rules.settings_are_handed_down, {"hub/cli/serve.py": "from hub.settings import Settings\n"}),
    (rules.suppressions_are_justified, {"hub/a.py": "x = 1  # noqa: E501, S101  # the list is generated\n"}),
    (rules.suppressions_are_justified, {"hub/a.py": "x = '# noqa'\n"}),
    (rules.no_test_is_passed_over_in_silence, {"tests/a.py": "pytest.skip('needs a kernel with Landlock')\n"}),
    (papers.decisions_are_numbered, {"hub/decisions/0001-a.md": GOOD_DECISION}),
    (papers.links_lead_somewhere, {"hub/README.md": "[up](../README.md#part)\n", "README.md": ""}),
]

RULES = list(dict.fromkeys(rule for rule, _ in BROKEN))


def named(value: object) -> str | None:
    return getattr(value, "__name__", "in") if callable(value) else "tree"


@pytest.fixture(scope="module")
def tree() -> Tree:
    return Tree.tracked()


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_the_tree_keeps_the_rule(rule: Rule, tree: Tree) -> None:
    assert "\n".join(rule(tree)) == ""


@pytest.mark.parametrize(("rule", "files"), BROKEN, ids=named)
def test_a_breach_is_noticed(rule: Rule, files: dict[str, str]) -> None:
    findings = list(rule(Tree(files)))

    assert len(findings) == 1, findings
    assert any(path in findings[0] for path in [*files, "decision"])


@pytest.mark.parametrize(("rule", "files"), KEPT, ids=named)
def test_what_keeps_the_rule_is_let_be(rule: Rule, files: dict[str, str]) -> None:
    assert list(rule(Tree(files))) == []


def test_every_rule_of_the_house_is_among_them() -> None:
    written = {
        value
        for module in (rules, papers)
        for name, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", "") == module.__name__ and not name.startswith("_")
    }

    assert written == set(RULES)


def test_the_tree_is_what_git_tracks() -> None:
    tree = Tree.tracked()

    assert "hub/invocations/invoke.py" in tree.files
    assert not any(path.startswith((".venv/", "var/")) for path in tree.files)
