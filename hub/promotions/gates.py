"""The gates: how each stands now, as the database has it, with the reason in a sentence."""

from collections.abc import Sequence

from connectors.sdk.vocabulary import Effect
from hub.identity.directory import get
from hub.promotions.composite_gates import NO_CODE, composite_path, is_of_composites
from hub.promotions.tables import PromotionRow
from hub.promotions.values import BEFORE, Finding, Gate, Likeness, Rehearsal, Stand, Terms
from hub.registry import BadgeVerdict, Environment, Grade, Release, badge_for, get_release, releases_in_use
from hub.registry.using import versions_of
from hub.storage import Tx


async def findings(tx: Tx, row: PromotionRow, terms: Terms) -> list[Finding]:
    """Return how each gate stands now; that of the second person stays open until somebody decides."""
    release = await get_release(tx, row.release_id)
    found = list[Finding]()
    for gate in terms.gates:
        stand, reason = await _stand(tx, gate, row, release)
        found.append(Finding(gate=gate, stand=stand, reason=reason.replace("{deciders}", str(terms.deciders))))
    return found


def missing(found: Sequence[Finding], *, by_person: bool) -> list[Finding]:
    """Return the gates that do not hold; `by_person` says that the second person is there."""
    return [one for one in found if one.stand is not Stand.HOLDS and not (by_person and one.gate is Gate.PERSON)]


async def _stand(tx: Tx, gate: Gate, row: PromotionRow, release: Release) -> tuple[Stand, str]:
    match gate:
        case Gate.PATH:
            return await _path(tx, row, release)
        case Gate.BADGE:
            return await _badge(tx, release)
        case Gate.REPLAY:
            return await _replay(tx, row, release)
        case Gate.PERSON:
            return (
                Stand.OPEN,
                "Somebody of {deciders} decides, who neither asked for it nor explained, wrote or owns it.",
            )


async def _path(tx: Tx, row: PromotionRow, release: Release) -> tuple[Stand, str]:
    withdrawn = [version.id for version in await versions_of(tx, release) if version.withdrawn is not None]
    if withdrawn:
        return Stand.FAILS, f"{len(withdrawn)} of its tool versions were withdrawn."
    if is_of_composites(release):
        return await composite_path(tx, row, release)
    before = BEFORE[Environment(row.environment)]
    if (await releases_in_use(tx, row.connector)).get(before) != release.id:
        return Stand.FAILS, f"It is not in use in {before.value}."
    return Stand.HOLDS, f"It is in use in {before.value}, and nothing of it was withdrawn."


async def _badge(tx: Tx, release: Release) -> tuple[Stand, str]:
    if is_of_composites(release):
        return Stand.HOLDS, NO_CODE
    badge = await badge_for(tx, release.spec)
    how, counts, where = _trying(release)
    if badge is None:
        return Stand.OPEN, f"The contract kit has not tried exactly this release: {how}."
    failed = sorted({line.operation for line in badge.lines if line.verdict is BadgeVerdict.FAILED})
    if failed:
        return Stand.FAILS, f"Lines failed about {', '.join(failed)}."
    passed = [line for line in badge.lines if line.verdict is BadgeVerdict.PASSED and line.grade is counts]
    tried = {line.operation for line in passed}
    untried = [one.name for one in release.spec.operations if one.effect is not Effect.READ and one.name not in tried]
    if untried:
        return Stand.OPEN, f"Nothing of {', '.join(untried)} has passed {where}: {how}."
    return Stand.HOLDS, f"{len(passed)} lines passed {where}, {badge.system}, and none failed."


def _trying(release: Release) -> tuple[str, Grade, str]:
    """Return how a release is tried, which grade opens its gate, and where that is in words.

    What stands behind a federated server is never ours to try: of such a release no line can be live.
    """
    check = f"toolhub connector check {release.connector}"
    if release.spec.rpc == "mcp":
        return f"`{check} --on URL --examples FILE --keep`", Grade.ELSEWHERE, "through its server"
    return f"`{check} --on HARNESS --keep`", Grade.LIVE, "on the system itself"


async def _replay(tx: Tx, row: PromotionRow, release: Release) -> tuple[Stand, str]:
    if row.rehearsal is None:
        return Stand.OPEN, "Recorded calls have not been played with it yet: check the gates."
    rehearsal = Rehearsal.from_json(row.rehearsal)
    if (rehearsal.release_id, rehearsal.former_release_id) != (release.id, row.former_release_id):
        return Stand.OPEN, "Other releases were compared: check the gates again."
    told = _told(rehearsal)
    if rehearsal.writes == 0:
        return Stand.HOLDS, "It offers reads alone; there is no preview to compare."
    same = rehearsal.count(Likeness.SAME)
    if same and same == len(rehearsal.played):
        return Stand.HOLDS, told
    if row.explanation:
        return Stand.HOLDS, f"{told} {await _explainer(tx, row)} has explained it."
    needed = "say why it may be the first" if row.former_release_id is None else "explain that"
    return Stand.OPEN, f"{told} The connector's owner or an administrator has to {needed}."


async def _explainer(tx: Tx, row: PromotionRow) -> str:
    if row.explained_by is None:
        return "The hub's console"
    return (await get(tx, row.explained_by)).display_name


def _told(rehearsal: Rehearsal) -> str:
    if rehearsal.former_release_id is None:
        return "No release is in use there yet, so there is nothing to compare it with."
    if not rehearsal.played:
        return "No write of the release in use is on record to be played with it."
    counted = {one: rehearsal.count(one) for one in Likeness}
    return (
        f"Of {len(rehearsal.played)} recorded writes {counted[Likeness.SAME]} come out the same, "
        f"{counted[Likeness.DIFFERENT]} differ, and of {counted[Likeness.UNSURE]} it cannot be told."
    )
