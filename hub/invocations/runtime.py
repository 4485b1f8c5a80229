"""What carrying out a call needs: built once by the wiring, passed to every use case."""

from dataclasses import dataclass, field
from typing import Final

from hub.audit import Witness
from hub.budgets import Brakes
from hub.bundles import Bundles
from hub.credentials import Vault
from hub.execution import Executor, Program, Reach, confinement_here, describe, judged_by, reach
from hub.identity.authority import Authority
from hub.identity.client_documents import ClientDocuments
from hub.identity.foreign_tokens import ForeignIssuers
from hub.identity.tokens import TokenVerifier
from hub.invocations.group_commit import GroupCommit
from hub.invocations.tasks import Tasks
from hub.keys import Keyring
from hub.promotions import Rules
from hub.registry import Catalog
from hub.storage import Database

__all__ = [
    "ANSWER_SECONDS",
    "Executor",
    "Program",
    "Reach",
    "Runtime",
    "confinement_here",
    "describe",
    "judged_by",
    "reach",
]  # for the wiring and the command line alone

ANSWER_SECONDS: Final = 4.0
"""No caller waits longer than this for an answer; what is still running then is reported as running (wire)."""
QUIET_SECONDS: Final = 20.0
"""After so long without a word the stream of a call is ended, if its client can ask for the answer: proxies end such
streams without a word to anybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The parts of one running hub."""

    database: Database
    keys: Keyring
    catalog: Catalog
    bundles: Bundles
    brakes: Brakes
    executor: Executor
    vault: Vault
    verifier: TokenVerifier
    records: GroupCommit
    public_url: str
    environment: str
    answer_seconds: float = ANSWER_SECONDS
    quiet_seconds: float = QUIET_SECONDS
    lease_seconds: int = 60
    promotions: Rules = field(default_factory=Rules)
    witnesses: tuple[Witness, ...] = ()
    """Who keeps the audit log's checkpoints outside the hub."""
    issuers: ForeignIssuers = field(default_factory=ForeignIssuers)
    """The external issuers that the operator names."""
    documents: ClientDocuments | None = None
    """How clients are read that nobody registered, and what they may be."""
    scraper: str = field(default="", repr=False)
    """The hash of the token with which a collector may read the numbers of operators; empty: none may."""
    tasks: Tasks = field(default_factory=Tasks)

    @property
    def authority(self) -> Authority:
        """The hub's own authority, for what it does by itself."""
        return Authority(database=self.database, keys=self.keys)
