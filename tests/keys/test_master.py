"""The master key is made once, for its owner alone, or given; nothing else starts a hub."""

import base64
import stat
from pathlib import Path

import pytest

from hub.keys import MasterKeyUnusable, load_master_key

KEY = bytes(range(32))


def load(
    path: Path | None = None, *, explicit: str | None = None, is_postgresql: bool = False, is_new: bool = True
) -> bytes:
    return load_master_key(path, explicit=explicit, is_postgresql=is_postgresql, is_new=is_new)


def test_the_first_start_makes_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    made = load(tmp_path / "deep" / "master.key")

    file = tmp_path / "deep" / "master.key"
    assert len(made) == 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [entry.name for entry in file.parent.iterdir()] == ["master.key"]


def test_the_second_start_reads_the_same_key(tmp_path: Path) -> None:
    assert load(tmp_path / "master.key") == load(tmp_path / "master.key")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_may_touch_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "master.key"
    load(file)
    file.chmod(mode)

    with pytest.raises(MasterKeyUnusable, match="chmod 600"):
        load(file)


def test_a_given_key_wins_over_the_file(tmp_path: Path) -> None:
    load(tmp_path / "master.key")

    assert load(tmp_path / "master.key", explicit=base64.b64encode(KEY).decode()) == KEY


def test_postgresql_never_makes_a_key(tmp_path: Path) -> None:
    with pytest.raises(MasterKeyUnusable, match="every replica"):
        load(tmp_path / "master.key", is_postgresql=True)

    assert list(tmp_path.iterdir()) == []


def test_no_key_is_made_for_a_database_that_has_keys(tmp_path: Path) -> None:
    with pytest.raises(MasterKeyUnusable, match=r"master\.key.*put the file back"):
        load(tmp_path / "master.key", is_new=False)

    assert list(tmp_path.iterdir()) == []


def test_postgresql_takes_a_file_that_was_given(tmp_path: Path) -> None:
    made = load(tmp_path / "master.key")

    assert load(tmp_path / "master.key", is_postgresql=True) == made


@pytest.mark.parametrize("given", ["", "x", "c2hvcnQ=", base64.b64encode(bytes(33)).decode(), "ä" * 44])
def test_a_given_key_of_the_wrong_kind_is_refused_without_repeating_it(given: str) -> None:
    with pytest.raises(MasterKeyUnusable) as refusal:
        load(explicit=given)

    assert not given or given not in refusal.value.message


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "master.key"
    load(file)
    file.write_bytes(b"\xff\x00")

    with pytest.raises(MasterKeyUnusable, match=r"master\.key"):
        load(file)


def test_no_key_and_no_place_for_one_is_refused() -> None:
    with pytest.raises(MasterKeyUnusable):
        load()
