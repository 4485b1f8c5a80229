"""Encryption and signing keys, and their rotation."""

from hub.keys.keyring import KEYS_CHANGED, Keyring, SigningKey
from hub.keys.master import MasterKeyUnusable, load_master_key

__all__ = ["KEYS_CHANGED", "Keyring", "MasterKeyUnusable", "SigningKey", "load_master_key"]
