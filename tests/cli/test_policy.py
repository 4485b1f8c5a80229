"""`toolhub policy`: what decides is shown, tried and published, and the record is asked what others would change."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hub.bundles import default_bundle_text
from hub.cli.policy import policy_app

FAILING = '//? {"example": "nobody", "action": "commit", "expect": "denied"}\n'
OPEN = '@id("anything") permit (principal, action, resource);\n'


pytestmark = pytest.mark.usefixtures("new_home")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    file = tmp_path / "open.cedar"
    file.write_text(OPEN)
    return file


def policy(*arguments: str) -> Result:
    return CliRunner().invoke(policy_app, [*arguments])


def test_what_is_published_is_what_is_shown(bundle: Path) -> None:
    before = policy("show")

    published = policy("publish", str(bundle))

    assert before.stdout == default_bundle_text()
    assert published.exit_code == 0, published.output
    assert policy("show").stdout == OPEN
    assert policy("show", "--environment", "prod").stdout == default_bundle_text()


def test_the_command_line_publishes_nothing_in_production(bundle: Path) -> None:
    refused = policy("publish", str(bundle), "--environment", "prod")

    assert refused.exit_code == 1
    assert "takes two people" in " ".join(refused.stderr.split())
    assert policy("show", "--environment", "prod").stdout == default_bundle_text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("permit (principal", "not valid"),
        (
            OPEN + '//? {"example": "nobody", "action": "commit", "expect": "denied"}\n',
            "should be denied and is allowed",
        ),
    ],
)
def test_a_bundle_that_cannot_be_published_is_told_why(bundle: Path, text: str, said: str) -> None:
    bundle.write_text(text)

    for command in ("check", "whatif", "publish"):
        refused = policy(command, str(bundle))
        assert refused.exit_code == 1
        assert said in " ".join(refused.stderr.split())


def test_a_file_that_is_no_text_is_told_apart(bundle: Path) -> None:
    bundle.write_bytes(b"\xff\xfe\x00")

    refused = policy("check", str(bundle))

    assert refused.exit_code == 1
    assert "is not a text in UTF-8" in " ".join(refused.stderr.split())


@pytest.mark.parametrize("command", [("replay",), ("whatif", "FILE")])
def test_an_empty_record_has_nothing_to_decide_again(bundle: Path, command: tuple[str, ...]) -> None:
    arguments = [str(bundle) if one == "FILE" else one for one in command]

    found = policy(*arguments, "--json")

    assert found.exit_code == 0, found.output
    document = json.loads(found.stdout)
    assert (document["decisions"], document["same"], document["differences"]) == (0, 0, [])


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "every call would be refused"), (OPEN, "No example says"), (f"{FAILING}{OPEN}", "should be denied")],
    ids=["empty", "without examples", "failing"],
)
def test_what_a_valid_bundle_lacks_is_said(bundle: Path, text: str, said: str) -> None:
    bundle.write_text(text)

    assert said in " ".join(policy("check", str(bundle)).stderr.split())
