"""Policy bundles as stored, versioned data."""

from hub.bundles.bundles import Bundles, default_bundle_text, recorded_bundle
from hub.bundles.publishing import (
    BY_TWO,
    Proposal,
    Publication,
    proposals,
    propose_bundle,
    publish_bundle,
    publish_default,
    publish_proposal,
)

__all__ = [
    "BY_TWO",
    "Bundles",
    "Proposal",
    "Publication",
    "default_bundle_text",
    "proposals",
    "propose_bundle",
    "publish_bundle",
    "publish_default",
    "publish_proposal",
    "recorded_bundle",
]
