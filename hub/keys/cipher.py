"""XAES-256-GCM: authenticated encryption under one key for any number of messages with random nonces."""

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 24
_REDUCTION: Final = 0x87
_BLOCK_BITS: Final = 128


class NotAuthentic(Exception):
    """The bytes were not encrypted with this key and these associated data, or were changed since."""


class XAES:
    """One key of XAES-256-GCM.

    Plain AES-GCM allows 2^32 random nonces per key, which a busy audit log reaches in weeks; this derives a key per
    message from the first half of a 192-bit nonce and has no such limit in practice. Source: C2SP, XAES-256-GCM.
    """

    __slots__ = ("_k1", "_key")

    def __init__(self, key: bytes) -> None:
        self._key = algorithms.AES256(key)
        block = int.from_bytes(self._encrypt_blocks(bytes(16)))
        shifted = (block << 1) & ((1 << _BLOCK_BITS) - 1)
        self._k1 = shifted ^ (_REDUCTION if block >> (_BLOCK_BITS - 1) else 0)

    def encrypt(self, plaintext: bytes, associated: bytes, *, nonce: bytes | None = None) -> bytes:
        """Return the nonce (random unless given) and the ciphertext of `plaintext`, bound to `associated`."""
        chosen = os.urandom(NONCE_BYTES) if nonce is None else nonce
        return chosen + self._derived(chosen).encrypt(chosen[12:], plaintext, associated)

    def decrypt(self, sealed: bytes, associated: bytes) -> bytes:
        """Return the plaintext of what `encrypt` returned.

        Raises:
            NotAuthentic: another key, other associated data, or changed bytes.
        """
        nonce, ciphertext = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        if len(nonce) < NONCE_BYTES:
            raise NotAuthentic
        try:
            return self._derived(nonce).decrypt(nonce[12:], ciphertext, associated)
        except InvalidTag as error:
            raise NotAuthentic from error

    def _derived(self, nonce: bytes) -> AESGCM:
        prefix = nonce[:12]
        first = int.from_bytes(b"\x00\x01X\x00" + prefix) ^ self._k1
        second = int.from_bytes(b"\x00\x02X\x00" + prefix) ^ self._k1
        return AESGCM(self._encrypt_blocks(first.to_bytes(16) + second.to_bytes(16)))

    def _encrypt_blocks(self, blocks: bytes) -> bytes:
        # One or two blocks that never repeat: ECB is the bare block cipher here, as in CMAC, whose first step this is.
        encryptor = Cipher(self._key, modes.ECB()).encryptor()  # noqa: S305  # one block, as C2SP XAES says
        return encryptor.update(blocks) + encryptor.finalize()
