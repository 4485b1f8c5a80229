"""Lack of people: of whom a question asks more than may still vote, as the groups are now."""

from dataclasses import dataclass

from hub.approvals.questions import Question
from hub.approvals.rules import Waiting, asked_groups, unfilled
from hub.identity import directory
from hub.storage import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """So many of `whom`, in words, must still agree, and fewer may; `others` says that some are there who may not."""

    whom: str
    needed: int
    there: int
    others: bool

    @property
    def told(self) -> str:
        """Return it as a sentence."""
        if self.there:
            return f"{self.needed} of {self.whom} have to agree, and only {self.there} may vote now."
        return f"Nobody {'else ' if self.others else ''}is in {self.whom} now."


async def lacking(tx: Tx, question: Question) -> tuple[Lack, ...]:
    """Return of whom there are not enough to answer an open question; somebody may join them at any time.

    Nobody counts twice, as in the rules of approval. A deputy adds nobody: it takes the place of one who is counted.
    """
    standing = question.standing
    if not question.is_open or not isinstance(standing, Waiting):
        return ()
    now, later = standing.stage, [one for one in question.obligations if not one.is_confirmation]
    seats = [one for one in later if one.stage == now for _ in range(standing.missing.get(one.group, 0))]
    seats += [one for one in later if one.stage > now for _ in range(one.count)]
    people = await directory.people_in(tx, asked_groups(seats))
    bound = question.excluded | {one for vote in question.votes for one in (vote.voter_id, vote.for_id) if one}
    empty = unfilled(seats, [groups for person, groups in people.items() if person not in bound])
    asked = [one.group for one in seats]
    return tuple(
        Lack(
            whom=one.whom,
            needed=asked.count(one.group),
            there=asked.count(one.group) - empty.count(one.group),
            others=any(one.admits(groups) for person, groups in people.items() if person in bound),
        )
        for one in {one.group: one for one in seats}.values()
        if one.group in empty
    )
