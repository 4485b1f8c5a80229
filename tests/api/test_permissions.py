"""Who may do what: every operation against every role; what is not in the table, nobody may."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from doors.people import API, LogIn, Person, api_of
from doors.reports import REPORT
from doors.things import things
from doors.working_hub import WorkingHub
from joserfc.jwk import ECKey
from upstream.composites import over, restock
from upstream.connector import connector

from hub.bundles import default_bundle_text
from hub.identity.resources import API as API_SERVER

pytestmark = pytest.mark.anyio

MEMBER = frozenset({"requester"})
ADMINISTRATOR = frozenset({"administrator"})
OPERATOR = frozenset({"operator"})
AUDITOR = frozenset({"auditor"})
EVERYBODY = frozenset({"nobody"}) | MEMBER | ADMINISTRATOR | OPERATOR | AUDITOR

MAY: Mapping[str, frozenset[str]] = {
    "getSession": EVERYBODY,
    "logOut": EVERYBODY,
    "changeOwnPassword": EVERYBODY,
    "listTools": MEMBER,
    "getTool": MEMBER,
    "quarantineTool": ADMINISTRATOR | OPERATOR,
    "releaseTool": ADMINISTRATOR,
    "setToolTier": ADMINISTRATOR,
    "settleToolTier": ADMINISTRATOR,
    "setToolRules": ADMINISTRATOR,
    "setToolTrust": ADMINISTRATOR,
    "listLimits": ADMINISTRATOR | OPERATOR,
    "listOwnLimits": EVERYBODY,  # of what is theirs
    "setLimit": ADMINISTRATOR,  # and owners, of what is theirs; see test_braking
    "liftLimit": ADMINISTRATOR,
    "listStops": ADMINISTRATOR | OPERATOR,
    "setStop": ADMINISTRATOR | OPERATOR,
    "liftStop": ADMINISTRATOR | OPERATOR,
    "listPins": MEMBER,
    "getPin": MEMBER,
    "decidePin": ADMINISTRATOR,  # and the connector's owner
    "lookAtServer": ADMINISTRATOR | OPERATOR,  # and the connection's owner
    "listPromotions": MEMBER,
    "askPromotion": ADMINISTRATOR,  # and the connector's owner
    "getPromotion": MEMBER,
    "checkPromotion": ADMINISTRATOR,
    "explainPromotion": ADMINISTRATOR,
    "decidePromotion": ADMINISTRATOR,  # to staging; to prod a second person of a group, see tests/promotions
    "withdrawPromotion": ADMINISTRATOR,
    "revertPromotion": ADMINISTRATOR | OPERATOR,
    "listConnectors": MEMBER,
    "registerConnector": ADMINISTRATOR,
    "reportCheck": ADMINISTRATOR,  # and the connector's owner, and its runner's agent; see registry/test_reports
    "listRunners": MEMBER,
    "registerRunner": ADMINISTRATOR,
    "revokeRunner": ADMINISTRATOR,  # and the connector's owner
    "listComposites": MEMBER,
    "declareComposite": ADMINISTRATOR,  # and whoever owns the tools of all steps; see test_composites
    "askCompositePromotion": ADMINISTRATOR,
    "listConnections": EVERYBODY,  # its own; see test_registry
    "createConnection": ADMINISTRATOR,
    "getConnection": ADMINISTRATOR | OPERATOR,
    "changeConnection": ADMINISTRATOR,
    "setConnectionSecret": ADMINISTRATOR,
    "disableConnection": ADMINISTRATOR | OPERATOR,
    "enableConnection": ADMINISTRATOR | OPERATOR,
    "listServers": MEMBER,
    "createServer": ADMINISTRATOR,
    "publishTool": ADMINISTRATOR,
    "unpublishTool": ADMINISTRATOR,
    "getServer": MEMBER,
    "defineServer": ADMINISTRATOR,  # and those who look after it; see test_server_definitions
    "compareServer": ADMINISTRATOR,
    "retireServer": ADMINISTRATOR,
    "renameTool": ADMINISTRATOR,
    "listServerProposals": MEMBER,
    "proposeServer": ADMINISTRATOR,
    "publishServerProposal": ADMINISTRATOR,  # who is not its proposer
    "rejectServerProposal": ADMINISTRATOR,
    "listUsers": ADMINISTRATOR,
    "createUser": ADMINISTRATOR,
    "getUser": ADMINISTRATOR,
    "setUserGroups": ADMINISTRATOR,
    "setUserRoles": ADMINISTRATOR,
    "inviteUser": ADMINISTRATOR,
    "removeUserPasskeys": ADMINISTRATOR,
    "setUserEmail": ADMINISTRATOR,
    "listIdentities": ADMINISTRATOR,
    "linkIdentity": ADMINISTRATOR,
    "unlinkIdentity": ADMINISTRATOR,
    "listDisabledWebhooks": ADMINISTRATOR,
    "enableWebhook": ADMINISTRATOR,
    "suspendUser": ADMINISTRATOR,
    "resumeUser": ADMINISTRATOR,
    "listGroups": ADMINISTRATOR,
    "createGroup": ADMINISTRATOR,
    "listAgents": ADMINISTRATOR,
    "createAgent": ADMINISTRATOR,
    "getAgent": ADMINISTRATOR,
    "getAgentRedirects": ADMINISTRATOR,  # and its owner
    "setAgentRedirects": ADMINISTRATOR,
    "setAgentBinding": ADMINISTRATOR,
    "setAgentOwner": ADMINISTRATOR,
    "listNewcomers": ADMINISTRATOR,
    "acceptNewcomer": ADMINISTRATOR,
    "setAgentLimits": ADMINISTRATOR,
    "listAgentVersions": ADMINISTRATOR,  # and its owner
    "stateAgent": ADMINISTRATOR,  # and its owner
    "listAgentSecrets": ADMINISTRATOR,  # and its owner
    "issueAgentSecret": ADMINISTRATOR,
    "revokeAgentSecret": ADMINISTRATOR,
    "setAgentKeys": ADMINISTRATOR,
    "suspendAgent": ADMINISTRATOR,
    "resumeAgent": ADMINISTRATOR,
    "createInvocation": MEMBER,
    "listInvocations": EVERYBODY,  # its own
    "getInvocation": MEMBER,  # whose it is
    "getTimeline": MEMBER | OPERATOR | AUDITOR,  # of what waits
    "cancelInvocation": MEMBER,
    "getUndo": MEMBER | OPERATOR | AUDITOR,
    "undoInvocation": MEMBER,
    "listDoubts": OPERATOR,
    "resolveInvocation": OPERATOR,
    "listWaiting": OPERATOR,
    "listApprovals": EVERYBODY,  # what waits for it
    "getApproval": MEMBER | OPERATOR | AUDITOR,
    "listBatches": EVERYBODY,  # what waits for it
    "castBatchVote": EVERYBODY,  # each item is refused by itself; see test_batches
    "proposeInstead": frozenset(),  # as voting
    "listDeputies": EVERYBODY,  # its own
    "nameDeputy": EVERYBODY,  # its own
    "endDeputy": frozenset(),  # its own, and this is nobody's
    "castVote": frozenset(),  # no role votes; groups do, and never the requester
    "listStandingGrants": EVERYBODY,  # its own and its groups'
    "giveStandingGrant": frozenset(),  # who could vote; see test_grants
    "getStandingGrant": ADMINISTRATOR | OPERATOR,
    "revokeStandingGrant": ADMINISTRATOR | OPERATOR,
    "breakGlass": OPERATOR,
    "listReviews": EVERYBODY,  # what waits for it
    "getReview": frozenset(),  # no role reviews; groups do
    "concludeReview": frozenset(),
    "listAgentTrust": ADMINISTRATOR,
    "restoreTrust": ADMINISTRATOR,
    "listEvents": AUDITOR,
    "readEventValues": AUDITOR,
    "getCheckpoint": AUDITOR,
    "createExport": AUDITOR,
    "createEvidence": AUDITOR,
    "createFeed": AUDITOR,
    "getOpenMetrics": ADMINISTRATOR | OPERATOR,  # and whoever holds the token of the settings; see test_openmetrics
    "getMetrics": EVERYBODY,  # as far as they may see; see tests/metrics
    "listCostCentres": EVERYBODY,  # their own
    "openCostCentre": ADMINISTRATOR,
    "getCostCentre": ADMINISTRATOR | OPERATOR | AUDITOR,  # and whoever answers for it
    "changeCostCentre": ADMINISTRATOR,
    "closeCostCentre": ADMINISTRATOR,
    "assignCosts": ADMINISTRATOR,  # and whoever answers for the cost centres concerned
    "surveyErasure": ADMINISTRATOR | AUDITOR,
    "askErasure": ADMINISTRATOR | AUDITOR,
    "listErasures": ADMINISTRATOR | AUDITOR,
    "grantErasure": AUDITOR,  # and never the one who asked for it; see test_erasing
    "refuseErasure": AUDITOR,
    "listHolds": AUDITOR,
    "setHold": AUDITOR,
    "liftHold": AUDITOR,
    "getPolicy": ADMINISTRATOR | AUDITOR,
    "tryPolicy": ADMINISTRATOR,
    "proposePolicy": ADMINISTRATOR,
    "publishPolicy": ADMINISTRATOR,
    "publishProposedPolicy": ADMINISTRATOR,  # and never the one who proposed it; see test_policy
}
AGENTS_MAY = {
    "listTools",
    "getTool",
    "listConnectors",
    "listServers",
    "createInvocation",
    "listInvocations",
    "getInvocation",
    "getTimeline",
    "cancelInvocation",
    "getUndo",
    "undoInvocation",
}
PUBLIC = {"logIn"}
PUBLIC_KEY = ECKey.generate_key("P-256").as_dict(private=False)
WHY = {"reason": "a test"}
SALES = {"name": "sales", "environment": "dev", "title": "Sales"}
RULES = {"text": default_bundle_text()}


@dataclass(frozen=True, kw_only=True)
class Request:
    """One operation, ready to be sent with arguments that are right."""

    operation: str
    method: str
    path: str
    body: Any


@pytest.fixture
async def requests(hub: WorkingHub) -> list[Request]:
    """Every operation of the API, each on something that exists."""
    ids = await things(hub)
    spec = connector.spec.model_copy(update={"version": "1.0.1"})
    bodies: dict[str, Any] = {
        "quarantineTool": WHY,
        "setToolTier": {"tier": "high"},
        "setToolRules": {"rules": [{"condition": "true", "message": "Never."}]},
        "askPromotion": {"connector": "upstream", "environment": "staging", "reason": "It works."},
        "askCompositePromotion": {"name": "restock", "environment": "staging", "reason": "It works."},
        "explainPromotion": WHY,
        "decidePromotion": {"digest": "0" * 64, "agree": False, "reason": "Not yet."},
        "withdrawPromotion": WHY,
        "decidePin": {"digest": "0" * 64, "agree": False, "reason": "Not yet."},
        "lookAtServer": {"connection_id": ids["connection_id"]},
        "revertPromotion": WHY,
        "registerConnector": {"spec": spec.model_dump(mode="json")},
        "reportCheck": {"report": REPORT},
        "registerRunner": {"name": "ci", "public_key": base64.b64encode(bytes(32)).decode()},
        "declareComposite": {"declaration": restock(over("test-system"))},
        "createConnection": {
            "name": "second",
            "connector": "upstream",
            "base_url": "http://127.0.0.1:9",
            "prefix": "b_",
        },
        "changeConnection": {"settings": {"a": 1}},
        "setConnectionSecret": {"secret": {"token": "x"}},
        "disableConnection": WHY,
        "createServer": {"name": "fresh", "title": "Fresh"},
        "defineServer": SALES,
        "compareServer": SALES,
        "retireServer": WHY,
        "renameTool": {"name": "look_up"},
        "proposeServer": {"definition": {**SALES, "title": "Selling"}, **WHY},
        "publishServerProposal": {"digest": "0" * 64},
        "rejectServerProposal": WHY,
        "publishTool": {"tool_id": ids["tool_id"], "connection_id": ids["connection_id"], "as_name": "again"},
        "createUser": {"name": "ada", "display_name": "Ada"},
        "setUserGroups": {"groups": ["approvers"]},
        "setUserRoles": {"roles": ["member"]},
        "setUserEmail": {"email": "ada@example.org"},
        "linkIdentity": {"subject": "s-1"},
        "suspendUser": WHY,
        "changeOwnPassword": {"current": "a long enough password", "new": "a long enough password"},
        "createGroup": {"title": "Finance"},
        "createAgent": {"name": "bot", "display_name": "Bot", "owner_id": hub.people["owner"].id},
        "setAgentLimits": {"allowed_scopes": [], "allowed_servers": []},
        "stateAgent": {"model": "m-4"},
        "setAgentRedirects": {"redirect_uris": ["http://127.0.0.1/callback"]},
        "setAgentBinding": {"needs_bound_tokens": True},
        "setAgentOwner": {"owner_id": hub.people["owner"].id},
        "issueAgentSecret": {"days": 1},
        "setAgentKeys": {"keys": [PUBLIC_KEY]},
        "suspendAgent": WHY,
        "setToolTrust": {"is_trusted": True},
        "setLimit": {"per": "agent", "measure": "calls", "amount": 1000, "seconds": 60},
        "setStop": {"kind": "agent", "subject": "agt_other", **WHY},
        "createInvocation": {"tool": "item_get", "arguments": {"id": 1}},
        "cancelInvocation": WHY,
        "undoInvocation": WHY,
        "resolveInvocation": {"has_happened": True, "reason": "I looked."},
        "openCostCentre": {"code": "4711", "title": "Sales", "owner": hub.people["owner"].name},
        "changeCostCentre": {"title": "Sales abroad"},
        "assignCosts": {"kind": "server", "subject": "sales", "cost_centre": ids["centre_id"]},
        "createExport": {},
        "createFeed": {"format": "ocsf"},
        "createEvidence": {"invocation_id": ids["invocation_id"]},
        "surveyErasure": {"kind": "invocation", "subject": ids["invocation_id"]},
        "askErasure": {"kind": "person", "subject": hub.people["nobody"].id, **WHY},
        "refuseErasure": WHY,
        "setHold": {"kind": "invocation", "subject": ids["invocation_id"], **WHY},
        "liftHold": WHY,
        "tryPolicy": RULES,
        "proposePolicy": RULES,
        "publishPolicy": RULES,
        "giveStandingGrant": {"like": ids["invocation_id"], "reason": "Routine.", "uses": 1, "days": 1},
        "revokeStandingGrant": WHY,
        "breakGlass": {"digest": "0" * 64, "reason": "It cannot wait."},
        "concludeReview": {"verdict": "fine"},
        "restoreTrust": WHY,
        "castVote": {"digest": "0" * 64, "choice": "approve"},
        "castBatchVote": {
            "items": [{"invocation_id": ids["invocation_id"], "digest": "0" * 64}],
            "choice": "approve",
        },
        "proposeInstead": {"digest": "0" * 64, "arguments": {"title": "y"}, "reason": "Better."},
        "nameDeputy": {
            "deputy": "owner",
            "starts_at": "2026-01-01T00:00:00Z",
            "ends_at": "2026-01-02T00:00:00Z",
        },
    }
    document = api_of(hub.runtime)[1].openapi()
    return [
        Request(
            operation=operation["operationId"],
            method=method.upper(),
            path=path.format(**ids),
            body=bodies.get(operation["operationId"]),
        )
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if operation["operationId"] not in PUBLIC
    ]


async def send(person: Person, request: Request) -> httpx2.Response:
    return await person.send(request.method, request.path, request.body)


async def test_the_table_knows_every_operation(requests: list[Request]) -> None:
    assert {request.operation for request in requests} == set(MAY)


@pytest.mark.parametrize("role", sorted(EVERYBODY))
async def test_each_role_is_refused_what_it_may_not_do(requests: list[Request], log_in: LogIn, role: str) -> None:
    person = await log_in(role)

    refused = {
        request.operation: (await send(person, request)).status_code
        for request in requests
        if role not in MAY[request.operation]
    }

    assert {operation: status for operation, status in refused.items() if status not in {403, 404}} == {}


@pytest.mark.parametrize("role", sorted(EVERYBODY))
async def test_each_role_is_let_do_what_it_may(requests: list[Request], log_in: LogIn, role: str) -> None:
    allowed = [request for request in requests if role in MAY[request.operation]]

    statuses = {request.operation: (await send(await log_in(role), request)).status_code for request in allowed}

    assert {operation: status for operation, status in statuses.items() if status in {401, 403, 422, 500}} == {}


async def test_an_agent_with_a_token_for_the_api_may_only_what_is_for_agents(
    hub: WorkingHub, http: httpx2.AsyncClient, requests: list[Request]
) -> None:
    agent = await hub.make_agent("script", servers=frozenset({API_SERVER, "everything"}))
    headers = {"Authorization": f"Bearer {await hub.token(of=agent, server=API_SERVER)}"}

    statuses = {
        request.operation: (
            await http.request(request.method, f"{API}{request.path}", json=request.body, headers=headers)
        ).status_code
        for request in requests
    }

    let_in = {operation for operation, status in statuses.items() if status != 403}
    assert let_in == AGENTS_MAY
    assert statuses["createInvocation"] == 201
    assert statuses["getInvocation"] == 404  # another agent's
