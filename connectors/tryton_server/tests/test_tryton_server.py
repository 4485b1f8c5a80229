"""A Tryton of our own is made once, started quickly, kept apart from its neighbours, and leaves nothing behind."""

import multiprocessing
import os
import re
import stat
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.tryton_server import DidNotStart, Installation, SetupFailed, TrytonSays, TrytonServer, install
from connectors.tryton_server.installation import _run

pytestmark = pytest.mark.tryton


@pytest.fixture(scope="session")
def home(request: pytest.FixtureRequest) -> Path:
    return request.config.rootpath / ".venvs"


@pytest.fixture(scope="session")
def installation(home: Path) -> Installation:
    return install(home, print)


def template_made_in(home: Path) -> str:
    return str(install(home, print).template)


def is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_is_there_is_not_made_again(home: Path, installation: Installation) -> None:
    said: list[str] = []

    again = install(home, said.append)

    assert said == []
    assert again == installation


def test_processes_that_install_at_once_get_the_same(home: Path, installation: Installation) -> None:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        templates = list(pool.map(template_made_in, [home, home]))

    assert templates == [str(installation.template)] * 2


def test_passwords_are_different_readable_by_us_alone_and_never_shown(installation: Installation) -> None:
    passwords = installation.passwords
    file = installation.template.parent / "passwords.json"

    assert len(set(passwords.values())) == len(passwords) == 3
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not any(password in repr(installation) for password in passwords.values())


def test_a_step_that_fails_shows_the_end_of_what_it_said() -> None:
    with pytest.raises(SetupFailed, match=r"ended with 3:\nout of paper$"):
        _run(["sh", "-c", "echo out of paper; exit 3"])


def test_two_servers_have_two_companies(installation: Installation, tmp_path: Path) -> None:
    with TrytonServer(installation, tmp_path / "one") as one, TrytonServer(installation, tmp_path / "two") as two:
        here, there = one.person("clerk"), two.person("clerk")
        here.write("party.party", 3, name="Changed")

        assert here.read("party.party", 3, "name")["name"] == "Changed"
        assert there.read("party.party", 3, "name")["name"] != "Changed"
        here.close()
        there.close()


def test_a_server_that_was_stopped_comes_back_at_its_address_with_its_records(
    installation: Installation, tmp_path: Path
) -> None:
    server = TrytonServer(installation, tmp_path)
    server.start()
    address, process_id = server.base_url, server.process_id
    person = server.person("clerk")
    person.write("party.party", 3, name="Changed")
    person.close()
    server.stop()

    assert process_id is not None
    assert not is_running(process_id)
    with server:
        person = server.person("clerk")
        assert server.base_url == address
        assert person.read("party.party", 3, "name")["name"] == "Changed"
        person.close()


def test_a_server_that_cannot_start_says_why(installation: Installation, tmp_path: Path) -> None:
    program = tmp_path / "trytond"
    program.write_text("#!/bin/sh\necho no space left on device\nexit 1\n")
    program.chmod(0o700)
    server = TrytonServer(replace(installation, programs=tmp_path), tmp_path / "run")

    with pytest.raises(DidNotStart, match="no space left on device"):
        server.start()

    assert server.process_id is None


def test_the_company_is_seeded_with_what_the_story_needs(installation: Installation, tmp_path: Path) -> None:
    with TrytonServer(installation, tmp_path) as server:
        clerk = server.person("clerk")
        parties = clerk.ids("party.party")
        states = [clerk.read("sale.sale", sale, "state")["state"] for sale in clerk.ids("sale.sale")]
        ready = clerk.ids("account.invoice", ["state", "=", "draft"], ["invoice_date", "=", None])
        clerk.close()

    assert len(parties) >= 20
    assert set(states) == {"draft", "quotation", "confirmed", "processing", "cancelled"}
    assert ready


def test_the_account_of_the_hub_is_no_administrator(installation: Installation, tmp_path: Path) -> None:
    with TrytonServer(installation, tmp_path) as server:
        account = server.person("hub")
        with pytest.raises(TrytonSays, match="not allowed to access"):
            account.create("res.user", name="Second", login="second")
        account.close()


def test_the_snapshot_shows_a_change_and_nothing_else(installation: Installation, tmp_path: Path) -> None:
    with TrytonServer(installation, tmp_path) as server:
        clerk = server.person("clerk")
        before = server.snapshot()
        clerk.read("party.party", 3, "name")
        unchanged = server.snapshot()
        clerk.write("party.party", 3, name="Changed")
        changed = server.snapshot()
        clerk.close()

    assert unchanged == before
    assert [name for name in changed if changed[name] != before[name]] == ["ir_model_log", "party_party"]


def test_the_example_in_the_readme_works(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[1] / "README.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    monkeypatch.chdir(request.config.rootpath)
    names: dict[str, Any] = {"Path": Path, "install": install, "TrytonServer": TrytonServer, "tmp_path": tmp_path}

    exec(example, names)  # noqa: S102  # our own page

    names["clerk"].close()
