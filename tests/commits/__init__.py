"""What may happen to a commit: a model of its protocol, and the machinery of the fault matrix."""
