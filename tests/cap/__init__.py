"""SAP CAP with a small model of ours: orders with drafts and items, customers, an action and a function."""
