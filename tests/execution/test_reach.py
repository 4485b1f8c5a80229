"""Where connections may lead, as the operator sets it."""

import ipaddress

import pytest

from hub.execution import reach
from hub.settings import Settings
from sandbox.reach import PRIVATE


def test_the_default_is_the_usual_private_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOOLHUB_PRIVATE_NETWORKS", raising=False)
    chosen = Settings(_env_file=None)

    made = reach(chosen.private_networks, chosen.private_names)

    assert made.private_networks == PRIVATE


def test_the_operator_chooses_networks_and_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLHUB_PRIVATE_NETWORKS", '["10.1.0.0/16", "fd00::/8"]')
    monkeypatch.setenv("TOOLHUB_PRIVATE_NAMES", '["erp.company.example"]')
    chosen = Settings(_env_file=None)

    made = reach(chosen.private_networks, chosen.private_names)

    assert made.private_networks == tuple(map(ipaddress.ip_network, ("10.1.0.0/16", "fd00::/8")))
    assert made.private_names == ("erp.company.example",)


def test_none_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLHUB_PRIVATE_NETWORKS", "[]")
    chosen = Settings(_env_file=None)

    assert reach(chosen.private_networks, chosen.private_names).private_networks == ()
