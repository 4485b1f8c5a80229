"""The demo's stage: the hub, Tryton, the agent and everybody who plays, as the scenes use them."""

import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from connectors.tryton_server import Person, TrytonServer
from hub.cli.demo.agent_process import AgentProcess, Called, Turn
from hub.cli.demo.hub_process import HubProcess
from hub.cli.demo.people import Colleague
from hub.cli.demo.settling import READ, REDIRECT_URI, Settled
from hub.cli.demo.signing_in import REFRESH_BEFORE, Authorization, Browser, Client, Tokens
from hub.cli.demo.telling import Teller, shortened

Json = Any
"""Any JSON value."""

VOTERS: Final = ("rita", "ann", "carl")


@dataclass(kw_only=True)
class Stage:
    """Everything the scenes need. The tokens change as the story goes on."""

    teller: Teller
    hub: HubProcess
    agent: AgentProcess
    authorization: Authorization
    browser: Browser
    tokens: Tokens
    colleagues: Mapping[str, Colleague]
    clerk: Person
    passwords: Mapping[str, str]
    is_unattended: bool

    def do(self, task: str, thread: str) -> Turn:
        """Let the agent do a task, with a token that is still good, and tell what it calls."""
        if self.tokens.ends_at - time.monotonic() < REFRESH_BEFORE:
            self.refresh()
        return self.agent.do(task, thread, self.tokens.access, on_call=self._tell)

    def refresh(self) -> None:
        """Renew the agent's tokens."""
        self.tokens = self.authorization.refresh(self.tokens)

    def _tell(self, call: Called) -> None:
        given = ", ".join(f"{name}={value!r}" for name, value in call.arguments.items())
        self.teller.asked("agent", f"{call.tool}({given})")
        if call.is_error or call.status is not None:
            self.teller.quote(shortened(call.text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What has been started before the stage can be set."""

    teller: Teller
    hub: HubProcess
    tryton: TrytonServer
    settled: Settled
    langgraph: Path
    is_unattended: bool


@contextmanager
def set_stage(ready: Ready) -> Generator[Stage]:
    """Yield the stage: Rita has allowed the agent to read, the voters have logged in, the agent waits for a task."""
    hub, passwords = ready.hub, ready.settled.passwords
    client = Client(client_id=ready.settled.client_id, secret=ready.settled.client_secret, redirect_uri=REDIRECT_URI)
    with ExitStack() as stack:
        browser = stack.enter_context(closing(Browser(hub.url, "rita", passwords["rita"])))
        with ready.teller.doing("Rita allows the agent to read (authorization code with PKCE, consent)"):
            authorization = stack.enter_context(closing(Authorization(client, f"{hub.url}/mcp")))
            tokens = authorization.ask(browser, READ)
        colleagues = {name: stack.enter_context(closing(Colleague(hub.url, name, passwords[name]))) for name in VOTERS}
        for colleague in colleagues.values():
            colleague.log_in()
        log = hub.home / "agent.log"
        agent = stack.enter_context(AgentProcess(ready.langgraph, log, hub.url))
        yield Stage(
            teller=ready.teller,
            hub=hub,
            agent=agent,
            authorization=authorization,
            browser=browser,
            tokens=tokens,
            colleagues=colleagues,
            clerk=stack.enter_context(closing(ready.tryton.person("clerk"))),
            passwords=passwords,
            is_unattended=ready.is_unattended,
        )
