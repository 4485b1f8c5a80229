"""Requests that came with a key, and what was answered: the same key is answered the same, and done once."""

from hub.ledger.keys import Asked, Begun, InFlight, Interrupted, begin, finish, forget_answers, give_up, sweep

__all__ = ["Asked", "Begun", "InFlight", "Interrupted", "begin", "finish", "forget_answers", "give_up", "sweep"]
