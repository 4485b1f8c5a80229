"""Standing grants: what they cover, and how their budgets burn down."""
