"""The cipher is XAES-256-GCM, and opens nothing that was changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.keys.cipher import NONCE_BYTES, XAES, NotAuthentic

NONCE = b"ABCDEFGHIJKLMNOPQRSTUVWX"


@pytest.mark.parametrize(
    ("key", "associated", "ciphertext"),
    [
        (b"\x01" * 32, b"", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
        (b"\x03" * 32, b"c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"),
    ],
)
def test_the_published_vectors_come_out(key: bytes, associated: bytes, ciphertext: str) -> None:
    sealed = XAES(key).encrypt(b"XAES-256-GCM", associated, nonce=NONCE)

    assert sealed == NONCE + bytes.fromhex(ciphertext)


@given(st.binary(max_size=200), st.binary(max_size=50))
def test_what_was_encrypted_comes_back(plaintext: bytes, associated: bytes) -> None:
    cipher = XAES(bytes(32))

    assert cipher.decrypt(cipher.encrypt(plaintext, associated), associated) == plaintext


@given(st.data())
def test_no_changed_byte_is_accepted(data: st.DataObject) -> None:
    cipher = XAES(bytes(32))
    sealed = bytearray(cipher.encrypt(b"twelve thousand", b"here"))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))

    with pytest.raises(NotAuthentic):
        cipher.decrypt(bytes(sealed), b"here")


@pytest.mark.parametrize("length", [0, NONCE_BYTES - 1, NONCE_BYTES, NONCE_BYTES + 15])
def test_bytes_too_short_to_be_a_ciphertext_are_refused(length: int) -> None:
    with pytest.raises(NotAuthentic):
        XAES(bytes(32)).decrypt(bytes(length), b"")
