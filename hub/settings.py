"""Settings: read once from the environment (`TOOLHUB_*`) or a `.env` file, and handed down as values."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AnyHttpUrl, Field, IPvAnyNetwork, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from hub.registry import Environment


class Settings(BaseSettings):
    """How this hub runs. Every setting has a default that is right for one machine."""

    model_config = SettingsConfigDict(
        env_prefix="TOOLHUB_", env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    home: Annotated[Path, Field(description="Where the embedded database, the master key and logs live.")] = Path("var")
    database_url: Annotated[
        SecretStr | None,
        Field(description="postgresql+asyncpg://... for more than one process; default: SQLite in `home`."),
    ] = None
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8420
    public_url: Annotated[
        AnyHttpUrl | None, Field(description="The address clients use; default: http://host:port.")
    ] = None
    environment: Environment = Environment.DEV
    master_key: Annotated[SecretStr | None, Field(description="32 random bytes, base64; needed on PostgreSQL.")] = None
    notices_file: Annotated[Path | None, Field(description="A file that gets one JSON line per notice.")] = None
    sandbox_minimum: Annotated[
        Literal["partial", "full"] | None,
        Field(description="Refuse to run connector code below this level of confinement."),
    ] = None

    connector_paths: Annotated[
        tuple[Path, ...], Field(description="Folders beside the installed packages to import connectors from.")
    ] = ()
    private_networks: Annotated[
        tuple[IPvAnyNetwork, ...] | None,
        Field(description="Networks of no public address that connections may lead to; default: RFC 1918 and alike."),
    ] = None
    private_names: Annotated[
        tuple[str, ...], Field(description="Domains whose names may lead there, beside .internal, .local and alike.")
    ] = ()
    sqlite_folders: Annotated[
        tuple[Path, ...], Field(description="Folders whose files connections may open as SQLite databases.")
    ] = ()

    trusted_proxies: Annotated[
        tuple[IPvAnyNetwork, ...],
        Field(description="Proxies whose word is taken for where a request came from; default: nobody's."),
    ] = ()

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.public_url is not None:
            _check_public(str(self.public_url))
        if not self.database.startswith(_ENGINES):
            raise ValueError(f"database_url must begin with {' or '.join(_ENGINES)}")
        try:
            make_url(self.database)
        except (ArgumentError, ValueError):  # whose message might quote the password
            raise ValueError("database_url is no URL; write special characters of its password as %XX") from None
        if any(self.home.resolve().is_relative_to(folder.resolve()) for folder in self.sqlite_folders):
            raise ValueError("sqlite_folders must not hold the hub's own home: its database is no system of record")
        if any(network.prefixlen == 0 for network in self.trusted_proxies):
            raise ValueError("trusted_proxies must name the proxies: whoever is trusted may claim any address")
        return self

    @property
    def database(self) -> str:
        """The database to use, as a SQLAlchemy URL, its password included: for the engine alone, never to be shown."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite+aiosqlite:///{self.home / 'toolhub.db'}"

    @property
    def address(self) -> str:
        """The address clients use, without a trailing slash."""
        return str(self.public_url).rstrip("/") if self.public_url else f"http://{self.host}:{self.port}"

    @property
    def master_key_file(self) -> Path:
        """Where the embedded default keeps the master key."""
        return self.home / "master.key"


def misspelt(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the names in `environment` and `.env` that look like settings and are none, with what each may mean.

    A setting that nobody reads does nothing, which may be the opposite of what somebody relies on.
    """
    given = {name.upper() for name in (*environment, *dotenv_values(".env")) if name.upper().startswith(_PREFIX)}
    known = [f"{_PREFIX}{name.upper()}" for name in Settings.model_fields]
    unknown = sorted(name for name in given - {*known, *_READ_ELSEWHERE} if not name.startswith(_SECRET))
    return {name: next(iter(get_close_matches(name, known, n=1)), "") for name in unknown}


_PREFIX = "TOOLHUB_"
_SECRET = f"{_PREFIX}SECRET_"
_READ_ELSEWHERE = (f"{_PREFIX}PASSWORD", f"{_PREFIX}DATABASE_PASSWORD")
"""For `toolhub account create` and for the compose file."""
_ENGINES = ("postgresql+asyncpg://", "sqlite+aiosqlite://")


def _check_public(url: str) -> None:
    parts = urlsplit(url)
    if parts.path not in {"", "/"}:
        raise ValueError("public_url must have no path: the hub is served at the root of its address")
    if parts.scheme != "https" and parts.hostname not in {"127.0.0.1", "localhost", "::1"}:
        raise ValueError("public_url must begin with https:// unless it is this machine: tokens travel there")
