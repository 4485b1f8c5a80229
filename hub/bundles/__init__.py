"""Policy bundles as stored, versioned data."""
