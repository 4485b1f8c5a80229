"""The wiring: builds the parts of one hub from its settings, and takes them down again."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

from hub import outbox
from hub.budgets import Brakes
from hub.bundles import Bundles
from hub.channels import Channel, handlers
from hub.channels.log import LogChannel
from hub.channels.mail import MailChannel, MailServer, Tls
from hub.channels.slack import SlackChannel
from hub.channels.slack_api import SlackApi, SlackApp
from hub.channels.webhooks import Endpoint, WebhookChannel
from hub.credentials import Vault
from hub.erasures import Keeping
from hub.identity.client_documents import ClientDocuments
from hub.identity.foreign_tokens import ForeignIssuers
from hub.identity.issuer_keys import IssuerLink
from hub.identity.secrets import hash_secret
from hub.identity.tokens import TokenVerifier
from hub.invocations.group_commit import GroupCommit
from hub.invocations.runtime import Executor, Program, Reach, Runtime, judged_by, reach
from hub.opening import open_database, open_keyring
from hub.outbound import Outbound
from hub.promotions import Rules
from hub.registry import Catalog
from hub.settings import Settings
from hub.web import SlackDoor, telling

DRAIN_SECONDS = 10
"""How long calls under way may take to end when the hub stops; then their leases bring them back."""


def notifications(settings: Settings, runtime: Runtime) -> Mapping[str, outbox.Handler]:
    """Return who delivers the messages of each topic."""
    return handlers(runtime.database, _channels(settings, runtime))


def _channels(settings: Settings, runtime: Runtime) -> list[Channel]:
    """Return the ways by which people and programs hear of things, as far as the settings name any."""
    channels: list[Channel] = [LogChannel(settings.address, settings.notices_file)]
    if settings.mail_host is not None and settings.mail_from is not None:
        server = MailServer(
            host=settings.mail_host,
            port=settings.mail_port,
            tls=Tls(settings.mail_tls),
            sender=settings.mail_from,
            user=settings.mail_user,
            password=settings.mail_password.get_secret_value() if settings.mail_password else None,
            trusted=settings.mail_trusted,
        )
        channels.append(MailChannel(runtime.database, server, settings.address))
    if settings.webhooks:
        endpoints = [
            Endpoint(name=one.name, url=one.url.get_secret_value(), keys=one.keys, events=one.events)
            for one in settings.webhooks
        ]
        channels.append(WebhookChannel(runtime.database, endpoints, runtime.authority, settings.address))
    if (app := _slack_app(settings)) is not None:
        channels.append(SlackChannel(runtime.authority, SlackApi(app), telling(runtime), settings.address))
    return channels


def keeping(settings: Settings) -> Keeping:
    """Return how long things are kept."""
    return Keeping(
        bodies=timedelta(days=settings.keep_bodies_days), decisions=timedelta(days=settings.keep_decisions_days)
    )


def slack_door(settings: Settings, runtime: Runtime) -> SlackDoor | None:
    """Return what answers for the hub's app in Slack, if the settings name one."""
    app = _slack_app(settings)
    return None if app is None else SlackDoor(runtime=runtime, app=app, api=SlackApi(app))


def _slack_app(settings: Settings) -> SlackApp | None:
    if settings.slack_token is None or settings.slack_signing_secret is None:
        return None
    return SlackApp(
        token=settings.slack_token.get_secret_value(),
        signing_secret=settings.slack_signing_secret.get_secret_value(),
        web_api=settings.slack_api.rstrip("/"),
    )


def reach_of(settings: Settings) -> Reach:
    """Return where connections may lead, and which programs they may start; none of those finds the hub's own home."""
    hidden = (settings.home.resolve(), Path(".env").resolve())
    programs = {
        one.name: Program(
            command=one.command,
            environment=one.environment,
            secrets=one.secrets,
            folder=str(one.folder),
            user=one.user,
            hidden=hidden,
            environments=frozenset(place.value for place in one.environments),
        )
        for one in settings.stdio_servers
    }
    return reach(settings.private_networks, settings.private_names, settings.sqlite_folders, programs)


def external_issuers(settings: Settings) -> ForeignIssuers:
    """Return the external issuers that the settings name; none is asked before it is needed."""
    outbound = Outbound(judged_by(reach_of(settings)))
    return ForeignIssuers([IssuerLink(one, outbound) for one in settings.issuers])


@asynccontextmanager
async def open_runtime(settings: Settings) -> AsyncGenerator[Runtime]:
    """Yield a running hub without any door; calls under way are finished before it closes."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings))
        keys = await open_keyring(settings, database)
        vault = Vault(keys)
        where = reach_of(settings)
        issuers = external_issuers(settings)
        executor = Executor(
            database,
            vault,
            minimum=settings.sandbox_minimum,
            paths=settings.connector_paths,
            reach=where,
        )
        await stack.enter_async_context(executor.running())
        await executor.start()
        verifier = TokenVerifier(database, keys, settings.address, issuers)
        await stack.enter_async_context(verifier.listening())
        records = GroupCommit(database, keys)
        await stack.enter_async_context(records.running())
        runtime = Runtime(
            database=database,
            keys=keys,
            catalog=Catalog(database, settings.environment),
            bundles=Bundles(database),
            brakes=Brakes(database),
            executor=executor,
            vault=vault,
            verifier=verifier,
            records=records,
            public_url=settings.address,
            environment=settings.environment.value,
            promotions=settings.promotions or Rules(),
            witnesses=settings.witnesses,
            scraper=hash_secret(settings.scrape_token.get_secret_value()) if settings.scrape_token else "",
            issuers=issuers,
            documents=ClientDocuments(
                outbound=Outbound(judged_by(where)),
                public=Outbound(judged_by(reach((), ()))),
                newcomers=settings.newcomers,
            ),
        )
        try:
            yield runtime
        finally:
            await runtime.tasks.drain(DRAIN_SECONDS)
