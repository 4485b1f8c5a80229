"""Typed examples of plans: on the approval page before they begin, and on their own page once they have."""

from dataclasses import replace

from web_gallery_approval import HIGH, resting_on
from web_gallery_grounds import HOSTILE, ORDINARY
from web_gallery_invocation import DONE

from connectors.sdk.preview import Preview
from connectors.sdk.vocabulary import Effect, Fidelity, Reversal, Tier
from hub.dryrun import PlannedStep, contract_preview
from hub.invocations.values import StepStatus
from hub.web.inert import inert, inert_name
from hub.web.plan_views import STATUSES, plan_box
from hub.web.state_words import PLAN_TAKEN_BACK, PLAN_UNDER_WAY, STATES
from hub.web.views.plan import ProgressLine
from hub.web.wording import FIDELITIES, REVERSALS


def step(number: int, name: str, tool: str, preview: Preview, **more: object) -> PlannedStep:
    """Return one step of a plan in Tryton."""
    usual: dict[str, object] = {
        "title": tool.replace("_", " ").capitalize(),
        "connector": "tryton",
        "connection": "Tryton (demo)",
        "connection_id": "con_1",
        "connection_generation": 1,
        "tool_id": "tool_1",
        "tool_version_id": "ver_1",
        "tool_version_digest": "a" * 64,
        "effect": Effect.CREATE,
        "tier": Tier.MEDIUM,
        "reversal": Reversal.EXACT,
        "undone_by": f"{tool}_undo",
        "arguments": {},
        "known": {},
        "intent_digest": "b" * 64,
    }
    return PlannedStep.model_validate(
        {**usual, "number": number, "name": name, "tool": tool, "preview": preview, **more}
    )


PARTY = step(
    1,
    "customer",
    "party_create",
    Preview.create("party.party/new", {"name": "Ada Lovelace", "language": "en"}, unknown=("code",)),
    arguments={"name": "Ada Lovelace"},
)
SALE = step(
    2,
    "order",
    "sale_create",
    contract_preview("tryton/sale_create", Effect.CREATE, {"product": "P-17"}, ["party"]),
    arguments={"party": {"$from": "/steps/customer/id"}, "product": "P-17", "quantity": 3},
    waits_for={"party": "customer"},
    tier=Tier.HIGH,
)
MAIL = step(
    3,
    "welcome",
    "mail_send",
    Preview.send("ada@example.org", {"subject": "Welcome"}),
    arguments={"to": "ada@example.org", "subject": "Welcome"},
    effect=Effect.SEND,
    tier=Tier.HIGH,
    reversal=Reversal.NONE,
    undone_by="",
    connection="Mail",
)
FOUND = step(
    1,
    "known",
    "party_find",
    Preview(changes=(), fidelity=Fidelity.EXECUTED),
    arguments={"name": "Ada Lovelace"},
    effect=Effect.READ,
    tier=Tier.LOW,
    undone_by="",
    answer={"parties": [{"id": 7, "language": "en"}]},
    read_by="inv_7",
)
ORDER = step(
    2,
    "order",
    "sale_create",
    Preview.create("sale.sale/new", {"party": 7, "product": "P-17", "quantity": 3}, unknown=("number",)),
    arguments={"party": 7, "product": "P-17", "quantity": 3},
    brings={"/party": "known"},
    tier=Tier.HIGH,
)
EARLY = step(
    3,
    "confirm",
    "sale_confirm",
    contract_preview("tryton/sale_confirm", Effect.UPDATE, {"id": 7}, []),
    arguments={"id": 7},
    effect=Effect.UPDATE,
    why_contract="its system says now, before the steps ahead of it are done: The sale is not quoted.",
)
BLIND_STEP = step(
    2,
    "tell",
    "letter_send",
    Preview(changes=(), fidelity=Fidelity.NONE),
    arguments={"text": HOSTILE},
    effect=Effect.SEND,
)
PLAN = replace(
    resting_on(
        HIGH,
        plan=plan_box((PARTY, SALE, MAIL)),
        undo=replace(ORDINARY.undo, reversal=REVERSALS[Reversal.NONE], tool=""),
        sureness=replace(
            ORDINARY.sureness,
            fidelity=FIDELITIES[Fidelity.CONTRACT],
            rank=1,
            not_covered=(inert("step 2, order: party is known after the step customer"),),
        ),
    ),
    headline=inert_name("Enter a customer with a first order: 3 steps in Mail and Tryton (demo)"),
    tool="order_for_new_customer",
    tool_title=inert_name("Enter a customer with a first order"),
    system=inert_name("composite-dev"),
)
PLANS = {
    "plan": PLAN,
    "plan-blind": resting_on(PLAN, plan=plan_box((PARTY, BLIND_STEP))),
    "plan-taken-back-whole": resting_on(PLAN, plan=plan_box((PARTY, SALE, EARLY))),
    "plan-reads": resting_on(PLAN, plan=plan_box((FOUND, ORDER, MAIL))),
    "plan-reads-hostile": resting_on(
        PLAN, plan=plan_box((FOUND.model_copy(update={"answer": {HOSTILE: [HOSTILE]}}), ORDER))
    ),
    "plan-reads-nothing-used": resting_on(PLAN, plan=plan_box((FOUND.model_copy(update={"answer": None}), SALE))),
    "plan-hostile": resting_on(
        PLAN,
        plan=plan_box(
            (
                PARTY.model_copy(update={"title": HOSTILE, "arguments": {HOSTILE: HOSTILE}}),
                EARLY.model_copy(update={"number": 2, "why_contract": HOSTILE, "connection": HOSTILE}),
            )
        ),
    ),
}


def line(number: int, name: str, status: StepStatus, *, is_undone: bool = False, message: str = "") -> ProgressLine:
    """Return how one step stands."""
    return ProgressLine(
        number=number,
        name=name,
        tool="party_create",
        status=STATUSES[status],
        url="" if status is StepStatus.AHEAD else f"/invocations/inv_{number}",
        undo_url=f"/invocations/inv_{number}0" if is_undone else "",
        message=inert(message) if message else None,
    )


_BEGUN = replace(
    DONE,
    headline=PLAN.headline,
    state=PLAN_TAKEN_BACK,
    outcome=None,
    verification=None,
    cancel_url="/invocations/inv_1/cancel",
    events=DONE.events[:3],
)
PLANS_BEGUN = {
    "plan-taken-back": replace(
        _BEGUN,
        cancel_url="",
        error=inert("Step 3, welcome, was sent, and its answer was lost."),
        steps=(
            line(1, "customer", StepStatus.DONE),
            line(2, "order", StepStatus.TAKING_BACK, is_undone=True),
            line(3, "welcome", StepStatus.NOT_DONE, message="The mailbox does not exist."),
            line(4, "note", StepStatus.AHEAD),
        ),
    ),
    "plan-under-way": replace(
        _BEGUN,
        state=PLAN_UNDER_WAY,
        steps=(line(1, "customer", StepStatus.DONE), line(2, "order", StepStatus.IN_DOUBT)),
    ),
    "plan-partial": replace(
        _BEGUN,
        state=next(word for state, word in STATES.items() if state.value == "PARTIAL"),
        cancel_url="",
        error=inert(
            "Step 3, welcome, was not done: the mailbox does not exist. Step 2, order, was taken back. Step 1, "
            "customer, stands, because it could not be taken back (somebody has changed this since)."
        ),
        steps=(
            line(1, "customer", StepStatus.STANDS, is_undone=True, message=HOSTILE),
            line(2, "order", StepStatus.TAKEN_BACK, is_undone=True),
            line(3, "welcome", StepStatus.NOT_DONE, message="The mailbox does not exist."),
        ),
    ),
    "step-of-a-plan": replace(DONE, plan_url="/invocations/inv_1"),
}
