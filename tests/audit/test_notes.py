"""Checkpoints are C2SP notes that no key but the log's own can sign, and that no byte can be changed of."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from hub.audit.notes import NoteKey, parse_key, public_bytes, read_checkpoint, sign_checkpoint
from hub.core.errors import Malformed
from hub.keys import SigningKey
from hub.keys.signing import new_signing_key, read_signing_key

ORIGIN = "toolhub/key_1"


def signing_key(name: str = "key_1") -> SigningKey:
    return read_signing_key(name, new_signing_key("checkpoints"))


def note_key(key: SigningKey, origin: str = ORIGIN) -> NoteKey:
    return NoteKey(name=origin, public=public_bytes(key.public_jwk))


KEY = signing_key()
SIGNED = sign_checkpoint(ORIGIN, 70_000, bytes(range(32)), KEY)


def test_the_published_verifier_key_comes_out() -> None:
    published = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"

    key = parse_key(published)

    assert (key.name, str(key)) == ("PeterNeumann", published)


def test_a_checkpoint_says_what_was_signed() -> None:
    assert SIGNED.note.startswith(
        "toolhub/key_1\n70000\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n\u2014 toolhub/key_1 "
    )
    assert read_checkpoint(SIGNED.note, [note_key(KEY)]) == SIGNED


def test_a_checkpoint_of_an_older_key_verifies_beside_the_new_one() -> None:
    new = signing_key("key_2")
    later = sign_checkpoint(ORIGIN, 70_001, bytes(32), new)
    keys = [note_key(KEY), note_key(new)]

    assert read_checkpoint(SIGNED.note, keys).size == 70_000
    assert read_checkpoint(later.note, keys).size == 70_001


def test_a_checkpoint_signed_with_another_key_is_refused() -> None:
    with pytest.raises(Malformed, match="No known key"):
        read_checkpoint(SIGNED.note, [note_key(signing_key())])


def test_a_checkpoint_of_another_log_is_refused() -> None:
    other = sign_checkpoint("toolhub/other", 1, bytes(32), KEY)

    with pytest.raises(Malformed, match="No known key"):
        read_checkpoint(other.note, [note_key(KEY)])


def test_a_witness_may_sign_too() -> None:
    witness = Ed25519PrivateKey.generate()
    key = NoteKey(name="witness.example", public=witness.public_key().public_bytes_raw())
    text = SIGNED.note.partition("\n\n")[0] + "\n"
    cosigned = (
        f"{SIGNED.note}\u2014 witness.example {base64.b64encode(key.id + witness.sign(text.encode())).decode()}\n"
    )

    assert read_checkpoint(cosigned, [note_key(KEY)]).size == 70_000
    assert read_checkpoint(cosigned, [key]).size == 70_000


@given(st.integers(0, len(SIGNED.note.encode()) - 1), st.integers(1, 255))
def test_no_changed_byte_is_accepted(place: int, change: int) -> None:
    note = bytearray(SIGNED.note.encode())
    note[place] ^= change

    with pytest.raises(Malformed):
        read_checkpoint(note.decode("utf-8", "replace"), [note_key(KEY)])


@given(st.text())
def test_other_texts_are_refused_not_a_crash(text: str) -> None:
    with pytest.raises(Malformed):
        read_checkpoint(text, [note_key(KEY)])


@pytest.mark.parametrize("size", ["070000", "+70000", "70_000", " 70000", "-1", "\u0667", "9" * 17])
def test_a_size_is_written_in_one_way_only(size: str) -> None:
    with pytest.raises(Malformed, match="not a checkpoint"):
        read_checkpoint(SIGNED.note.replace("70000", size, 1), [note_key(KEY)])


@pytest.mark.parametrize("text", ["", "a+b+c", "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"])
def test_a_damaged_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse_key(text)
