"""Trying a bundle before it is published: does it permit anything, and do its rules keep to its own examples?"""

from hub.policy.annotations import BundleInvalid, Fault
from hub.policy.bundle import Bundle
from hub.policy.decide import decide


def refuse_unfit(bundle: Bundle) -> None:
    """Let a bundle pass that permits something and decides every one of its examples as the example says.

    Raises:
        BundleInvalid: it does not; the message says what to do.
    """
    if all(rule.is_forbid for rule in bundle.rules.values()):
        told = (
            "No rule permits anything, so every call would be refused. To stop everything, set the hub's kill switch."
        )
        raise BundleInvalid(told)
    refuse_failing(bundle)


def refuse_failing(bundle: Bundle) -> None:
    """Let a bundle pass that decides every one of its examples as the example says.

    Raises:
        BundleInvalid: it does not; the message names every example that fails.
    """
    failures = [
        Fault(message=failure, place=place)
        for example, place in zip(bundle.examples, bundle.example_places, strict=True)
        if (failure := example.failure(decide(example.action, bundle.situation(example), bundle))) is not None
    ]
    if failures:
        told = f"{len(failures)} of {len(bundle.examples)} examples fail: {'; '.join(one.message for one in failures)}"
        raise BundleInvalid(told, faults=failures)
