"""The vault for upstream credentials."""

from hub.credentials.vault import Secret, Vault

__all__ = ["Secret", "Vault"]
