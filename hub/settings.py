"""Settings: read once from the environment (`TOOLHUB_*`) or a `.env` file, and handed down as values."""

from base64 import b64decode
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, IPvAnyNetwork, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from hub.audit import Witness, witness_from
from hub.core.addresses import is_address
from hub.core.errors import InputError
from hub.identity.issuers import Issuer
from hub.identity.newcomers import Newcomers
from hub.promotions import Rules
from hub.registry import Environment

_THIS_MACHINE = frozenset({"127.0.0.1", "localhost", "::1"})
_SIGNING = "whsec_"
_SLACK = "https://slack.com/api"


class WebhookSettings(BaseModel):
    """An endpoint that is told what happens: where, signed with which secrets, of which events (`*` for all)."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9._-]{0,63}$")]
    url: SecretStr
    secrets: Annotated[tuple[SecretStr, ...], Field(min_length=1, max_length=2)]
    events: Annotated[frozenset[str], Field(min_length=1)] = frozenset({"*"})

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        url = urlsplit(self.url.get_secret_value())
        if not url.hostname or url.username is not None or url.fragment:
            raise ValueError("a webhook's url is an absolute one, without user or fragment")
        if url.scheme != "https" and not (url.scheme == "http" and url.hostname in _THIS_MACHINE):
            raise ValueError("a webhook's url begins with https:// unless it is this machine")
        if not all(24 <= len(key) <= 64 for key in self.keys):  # noqa: PLR2004  # bytes, by Standard Webhooks
            raise ValueError("a webhook's secret holds 24 to 64 bytes")
        return self

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The bytes to sign with, the newest secret first."""
        return tuple(_key_in(secret.get_secret_value()) for secret in self.secrets)


def _key_in(secret: str) -> bytes:
    prefix, encoded = secret[: len(_SIGNING)], secret[len(_SIGNING) :]
    try:
        if prefix == _SIGNING:
            return b64decode(encoded, validate=True)
    except ValueError:  # whose message might quote the secret
        pass
    raise ValueError(f"a webhook's secret is {_SIGNING} and then base64") from None


class StdioServerSettings(BaseModel):
    """A program that may be started as an MCP server, for connections to `stdio:NAME`.

    `secrets` maps variables of its environment to fields of the connection's credential.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Annotated[str, Field(pattern="^[a-z][a-z0-9-]{0,47}$")]
    command: Annotated[tuple[str, ...], Field(min_length=1)]
    environment: Mapping[str, str] = {}
    secrets: Mapping[str, str] = {}
    folder: Path = Path("/")
    user: Annotated[str, Field(description="Whose rights it gets where the hub runs as root; default: nobody's.")] = ""
    environments: frozenset[Environment] = frozenset({Environment.DEV, Environment.STAGING})

    @model_validator(mode="after")
    def _is_absolute(self) -> Self:
        if not Path(self.command[0]).is_absolute() or not self.folder.is_absolute():
            raise ValueError("a stdio server's command and folder are absolute paths: there is no search for them")
        return self


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
    mail_host: Annotated[
        str | None, Field(description="The mail server that notices leave by; default: no e-mail.")
    ] = None
    mail_port: Annotated[int, Field(ge=1, le=65535)] = 587
    mail_tls: Annotated[
        Literal["starttls", "implicit", "none"],
        Field(description="How the way to the mail server is protected; none only on this machine."),
    ] = "starttls"
    mail_user: str | None = None
    mail_password: SecretStr | None = None
    mail_from: Annotated[str | None, Field(description="The address that notices come from.")] = None
    mail_trusted: Annotated[
        Path | None, Field(description="A file of certificates to believe instead of the system's.")
    ] = None
    webhooks: Annotated[
        tuple[WebhookSettings, ...], Field(description="Endpoints that are told, signed, what happens.")
    ] = ()
    slack_token: Annotated[
        SecretStr | None, Field(description="The bot token of the hub's app in Slack; default: no Slack.")
    ] = None
    slack_signing_secret: Annotated[
        SecretStr | None, Field(description="What Slack signs its requests to the hub with.")
    ] = None
    slack_api: Annotated[str, Field(description="Slack's Web API; another address only on this machine.")] = _SLACK
    checkpoints_to: Annotated[
        tuple[SecretStr, ...],
        Field(
            description="Where the audit log's checkpoints are kept, too: file:///folder, https://..., git+ssh://..."
        ),
    ] = ()
    scrape_token: Annotated[
        SecretStr | None,
        Field(min_length=16, description="What a collector of /api/v1/openmetrics shows; default: operators alone."),
    ] = None
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

    stdio_servers: Annotated[
        tuple[StdioServerSettings, ...], Field(description="Programs that connections may start as MCP servers.")
    ] = ()

    promotions: Annotated[
        Rules | None, Field(description="Gates, deciders and lines of staging and prod; default: see the README.")
    ] = None
    keep_bodies_days: Annotated[
        int, Field(ge=1, le=36_500, description="Days after which the values of ended calls and of events are deleted.")
    ] = 90
    keep_decisions_days: Annotated[
        int,
        Field(ge=1, le=36_500, description="Days for which policy's decisions can be made again; default: 7 years."),
    ] = 2557

    issuers: Annotated[
        tuple[Issuer, ...], Field(description="External OpenID providers: who logs in by them, which tokens count.")
    ] = ()

    newcomers: Annotated[
        Newcomers | None, Field(description="Agents that nobody registered: what they may be; default: there are none.")
    ] = None

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
        if self.keep_decisions_days < self.keep_bodies_days:
            raise ValueError("keep_decisions_days must not be less than keep_bodies_days")
        self._check_channels()
        self._check_issuers()
        try:
            _ = self.witnesses
        except InputError as error:
            raise ValueError(f"checkpoints_to: {error.message}") from error
        return self

    @property
    def witnesses(self) -> tuple[Witness, ...]:
        """Who keeps the audit log's checkpoints outside the hub."""
        return tuple(witness_from(one.get_secret_value(), self.home) for one in self.checkpoints_to)

    def _check_issuers(self) -> None:
        for told in ([one.name for one in self.issuers], [one.issuer for one in self.issuers]):
            if len(set(told)) < len(told):
                raise ValueError("issuers must have different names and identifiers")
        if any(one.issuer.rstrip("/") == self.address for one in self.issuers):
            raise ValueError("issuers are others: the hub's own tokens need no setting")

    def _check_channels(self) -> None:
        if self.mail_host is not None and not is_address(self.mail_from or ""):
            raise ValueError("mail_from must be an e-mail address, NAME@DOMAIN, where mail_host is set")
        if self.mail_tls == "none" and self.mail_host not in {None, *_THIS_MACHINE}:
            raise ValueError("mail_tls may be none only where mail_host is this machine: notices travel there")
        if self.mail_password is not None and self.mail_user is None:
            raise ValueError("mail_password needs a mail_user to log in with")
        if (self.slack_token is None) != (self.slack_signing_secret is None):
            raise ValueError("slack_token and slack_signing_secret belong together: set both, or none")
        if self.slack_api != _SLACK and urlsplit(self.slack_api).hostname not in _THIS_MACHINE:
            raise ValueError(f"slack_api must be {_SLACK}, unless it is this machine: the token travels there")
        for what, named in (("webhooks", self.webhooks), ("stdio_servers", self.stdio_servers)):
            if len({one.name for one in named}) < len(named):
                raise ValueError(f"{what} must have different names")

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
_READ_ELSEWHERE = (
    *(f"{_PREFIX}{name}" for name in ("PASSWORD", "DATABASE_PASSWORD")),
    *(f"{_PREFIX}{name}" for name in ("REPORT_TOKEN", "RUNNER", "RUNNER_KEY", "RUNNER_PLACE")),
)
"""For `toolhub account create`, for the compose file, and for `toolhub connector check --send`."""
_ENGINES = ("postgresql+asyncpg://", "sqlite+aiosqlite://")


def _check_public(url: str) -> None:
    parts = urlsplit(url)
    if parts.path not in {"", "/"}:
        raise ValueError("public_url must have no path: the hub is served at the root of its address")
    if parts.scheme != "https" and parts.hostname not in _THIS_MACHINE:
        raise ValueError("public_url must begin with https:// unless it is this machine: tokens travel there")
