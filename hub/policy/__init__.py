"""Pure decisions: facts in, a decision with rule ids and reasons out."""
