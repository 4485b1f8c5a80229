"""Encryption and signing keys, and their rotation."""

from hub.keys.keyring import KEYS_CHANGED, KeyPurpose, Keyring
from hub.keys.master import MasterKeyUnusable, load_master_key
from hub.keys.signing import SigningKey, SigningPurpose

__all__ = [
    "KEYS_CHANGED",
    "KeyPurpose",
    "Keyring",
    "MasterKeyUnusable",
    "SigningKey",
    "SigningPurpose",
    "load_master_key",
]
