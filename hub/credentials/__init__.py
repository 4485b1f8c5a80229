"""The vault for upstream credentials."""

from hub.credentials.vault import CredentialUnusable, Secret, Vault

__all__ = ["CredentialUnusable", "Secret", "Vault"]
