"""The contract kit: proves on a system where that does no harm what a connector declares of its operations."""
