"""Encryption and signing keys, and their rotation."""

from hub.keys.cursors import open_cursor, seal_cursor
from hub.keys.keyring import KEYS_CHANGED, KeyPurpose, Keyring, RotatableKey
from hub.keys.master import MasterKeyUnusable, load_master_key
from hub.keys.signing import SigningKey, SigningPurpose
from hub.keys.tables import KeyRow

__all__ = [
    "KEYS_CHANGED",
    "KeyPurpose",
    "KeyRow",
    "Keyring",
    "MasterKeyUnusable",
    "RotatableKey",
    "SigningKey",
    "SigningPurpose",
    "load_master_key",
    "open_cursor",
    "seal_cursor",
]
