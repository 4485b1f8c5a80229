"""Policy bundles as stored, versioned data."""

from hub.bundles.bundles import BUNDLES_CHANGED, Bundles, default_bundle_text, recorded_bundle, recorded_policy
from hub.bundles.editions import Edition, edition, edition_before, editions
from hub.bundles.publishing import (
    BY_TWO,
    FRESH,
    Proposal,
    Publication,
    Second,
    proposals,
    propose_bundle,
    publish_bundle,
    publish_default,
    publish_proposal,
)

__all__ = [
    "BUNDLES_CHANGED",
    "BY_TWO",
    "FRESH",
    "Bundles",
    "Edition",
    "Proposal",
    "Publication",
    "Second",
    "default_bundle_text",
    "edition",
    "edition_before",
    "editions",
    "proposals",
    "propose_bundle",
    "publish_bundle",
    "publish_default",
    "publish_proposal",
    "recorded_bundle",
    "recorded_policy",
]
