"""What was checked elsewhere: reports of the contract kit, and the runners whose signed reports count."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from hub.api.access import Anybody, CatalogPerson, Person, RuntimeParameter
from hub.api.badges import BadgeView, badge_view
from hub.api.bodies import Body, Id
from hub.core.errors import InputError
from hub.registry.reports import Report, Signature, keep_report
from hub.registry.runners import NewRunner, Runner, register_runner, revoke_runner, runners_of

router = APIRouter(prefix="/connectors", tags=["connectors"])


class SentReport(Body):
    """A report of the kit, and the signature of a registered runner if one has signed it."""

    report: Report
    signature: Signature | None = None


class RunnerView(BaseModel):
    """A machine whose signed reports about a connector count."""

    id: str
    name: str
    public_key: str
    agent_id: str | None
    registered_at: datetime
    revoked_at: datetime | None


class RunnerList(BaseModel):
    """The runners of one connector; there are few."""

    items: list[RunnerView]


class RunnerToRegister(Body):
    """A runner's name, its key, and which agent may send its reports beside the connector's owner."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,47}$")
    public_key: str = Field(max_length=64, description="Ed25519: 32 bytes in base64.")
    agent_id: str | None = Field(default=None, max_length=40)


@router.post("/{connector}/reports", operation_id="reportCheck", summary="Report what the kit found", status_code=201)
async def report_check(runtime: RuntimeParameter, acting: Anybody, connector: str, sent: SentReport) -> BadgeView:
    """Keep a report: as a badge if a registered runner signed it, else apart, as its owner's word."""
    if sent.report.connector != connector:
        raise InputError(f"This report is about {sent.report.connector!r}, not about {connector!r}.")
    async with runtime.database.transaction() as tx:
        return badge_view(await keep_report(tx, sent.report, sent.signature, acting.authority(runtime)))


@router.get("/{connector}/runners", operation_id="listRunners", summary="List the runners of a connector")
async def list_runners(runtime: RuntimeParameter, _acting: CatalogPerson, connector: str) -> RunnerList:
    """Return whose signed reports count, and whose did."""
    async with runtime.database.reading() as tx:
        return RunnerList(items=[_view(one) for one in await runners_of(tx, connector)])


@router.post("/{connector}/runners", operation_id="registerRunner", summary="Register a runner", status_code=201)
async def register(runtime: RuntimeParameter, acting: Person, connector: str, wanted: RunnerToRegister) -> RunnerView:
    """Let what a machine signs about this connector count like a run here; for administrators."""
    new = NewRunner(name=wanted.name, public_key=wanted.public_key, agent_id=wanted.agent_id)
    async with runtime.database.transaction() as tx:
        return _view(await register_runner(tx, connector, new, acting.authority(runtime)))


@router.delete(
    "/{connector}/runners/{runner_id}", operation_id="revokeRunner", summary="Revoke a runner", status_code=204
)
async def revoke(runtime: RuntimeParameter, acting: Person, connector: str, runner_id: Id) -> None:
    """Let nothing more that it signs count; for administrators and the connector's owner."""
    async with runtime.database.transaction() as tx:
        await revoke_runner(tx, connector, runner_id, acting.authority(runtime))


def _view(runner: Runner) -> RunnerView:
    return RunnerView(
        id=runner.id,
        name=runner.name,
        public_key=runner.public_key,
        agent_id=runner.agent_id,
        registered_at=runner.registered_at,
        revoked_at=runner.revoked_at,
    )
