"""A real Directus for tests: how it is installed, seeded and run, and a harness for the contract kit."""
