"""The compose file describes a hub that could start: its parts, their order, their secrets, their settings."""

import re

import pytest
import yaml

from architecture.tree import ROOT
from hub.settings import Settings

TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE = yaml.safe_load(TEXT)
SERVICES = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def settings_in(text: str) -> set[str]:
    return set(re.findall(r"\bTOOLHUB_([A-Z_]+)(?=[:=])", text))


def test_the_hub_has_its_parts() -> None:
    assert set(SERVICES) == {"hub", "worker", "migrate", "database"}
    assert set(COMPOSE["volumes"]) == {"home", "database"}


@pytest.mark.parametrize("name", ["hub", "worker"])
def test_what_serves_waits_for_the_schema(name: str) -> None:
    waits = SERVICES[name]["depends_on"]

    assert waits["migrate"] == {"condition": "service_completed_successfully"}
    assert waits["database"] == {"condition": "service_healthy"}


def test_the_migration_runs_once() -> None:
    assert SERVICES["migrate"]["restart"] == "no"
    assert SERVICES["migrate"]["command"] == ["migrate"]


def test_every_part_that_stays_up_says_whether_it_is_well() -> None:
    assert "HEALTHCHECK" in DOCKERFILE
    assert SERVICES["worker"]["healthcheck"]["test"]
    assert SERVICES["database"]["healthcheck"]["test"]


def test_no_secret_has_a_default() -> None:
    secrets = re.findall(r"\$\{(TOOLHUB_\w*(?:PASSWORD|KEY|SECRET|TOKEN)\w*)(.*?)\}", TEXT)

    assert {name for name, _ in secrets} == {"TOOLHUB_DATABASE_PASSWORD", "TOOLHUB_MASTER_KEY"}
    assert [name for name, rest in secrets if not rest.startswith(":?")] == []


def test_every_setting_named_is_one_that_the_hub_reads() -> None:
    environment = {name.removeprefix("TOOLHUB_") for name in SERVICES["hub"]["environment"]}
    in_image = settings_in("\n".join(line for line in DOCKERFILE.splitlines() if line.startswith("ENV")))

    assert {name.lower() for name in environment | in_image} <= set(Settings.model_fields)


def test_nothing_runs_as_root() -> None:
    users = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)

    assert users == ["10001"]


def test_only_this_machine_reaches_the_port() -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["hub"]["ports"])
    assert "ports" not in SERVICES["database"]


def test_everything_that_the_image_copies_is_sent_to_the_build() -> None:
    ignored = (ROOT / ".dockerignore").read_text()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)

    for name in " ".join(copied).split():
        assert (ROOT / name).exists()
        assert f"!{name.partition('/')[0]}\n" in ignored
