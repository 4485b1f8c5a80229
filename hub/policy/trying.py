"""Trying a bundle before it is published: do its rules keep to its own examples?"""

from hub.policy.annotations import BundleInvalid
from hub.policy.bundle import Bundle
from hub.policy.decide import decide


def refuse_failing(bundle: Bundle) -> None:
    """Let a bundle pass that decides every one of its examples as the example says.

    Raises:
        BundleInvalid: it does not; the message names every example that fails.
    """
    failures = [
        failure
        for example in bundle.examples
        if (failure := example.failure(decide(example.action, example.situation(), bundle))) is not None
    ]
    if failures:
        raise BundleInvalid(f"{len(failures)} of {len(bundle.examples)} examples fail: {'; '.join(failures)}")
