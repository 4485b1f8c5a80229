"""The default policy is valid and decides its own examples as it says: without it no hub starts."""

from hub.bundles import default_bundle_text
from hub.policy import Bundle, refuse_failing


def test_the_default_policy_keeps_its_own_examples() -> None:
    bundle = Bundle.parse(default_bundle_text())

    assert bundle.examples
    refuse_failing(bundle)
