"""Policy bundles as stored, versioned data."""

from hub.bundles.bundles import Bundles, Publication, default_bundle_text, publish_bundle, publish_default

__all__ = ["Bundles", "Publication", "default_bundle_text", "publish_bundle", "publish_default"]
