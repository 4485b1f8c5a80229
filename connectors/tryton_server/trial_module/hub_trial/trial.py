# Copyright the toolhub maintainers. Licence: GPL-3.0-or-later, see LICENSE.
"""The trial of a call inside one transaction that is always rolled back."""

import threading
from contextlib import contextmanager

from trytond import config
from trytond.exceptions import UserError
from trytond.model import Model
from trytond.pool import Pool, PoolMeta
from trytond.rpc import RPC, RPCReturnException
from trytond.transaction import Transaction, without_check_access

from .calls import call, rows_of

_here = threading.local()

RESULT = {"trial": "result"}
"""What stands in a read for what the tried call returns: the ids of the records it makes."""


class _Found(RPCReturnException):
    """Carries what was found past the rollback that it causes."""

    def __init__(self, answer):
        super().__init__()
        self._answer = answer

    def result(self):
        return self._answer


class _Running:
    """What a running trial knows: the work it queued, and how often it looked at each sequence."""

    def __init__(self):
        self.queued = []
        self.is_settled = True
        self.looked_at = {}


def _running():
    return getattr(_here, "trial", None)


def _refuse(*args, **kwargs):
    raise UserError("This cannot be tried: it commits, or works in a transaction of its own.")


@contextmanager
def _kept_from_committing(transaction):
    """Let nothing that runs inside commit, and forget what it wanted done at the end."""
    at_exit = list(transaction._atexit)
    transaction.commit = transaction.new_transaction = _refuse
    _here.trial = _Running()
    try:
        yield _here.trial
    finally:
        _here.trial = None
        del transaction.commit, transaction.new_transaction
        transaction._atexit[:] = at_exit
        transaction.tasks.clear()


def _with_result(value, result):
    if value == RESULT:
        return result
    return [_with_result(one, result) for one in value] if isinstance(value, list) else value


class Trial(Model):
    """Try calls."""

    __name__ = "hub.trial"

    @classmethod
    def __setup__(cls):
        super().__setup__()
        # Not read-only: it writes, and takes all of it back.
        cls.__rpc__ = {"run": RPC(readonly=False)}

    @classmethod
    def run(cls, model, method, arguments, reads):
        """Return what `reads` would find after `method` of `model`, and keep nothing of it."""
        with _kept_from_committing(Transaction()) as running:
            result = call(model, method, arguments)
            cls._work_off(running)
            found = [rows_of(*_with_result(read, result)) for read in reads]
            answer = {"found": found, "is_settled": running.is_settled}
        raise _Found(answer)

    @classmethod
    def _work_off(cls, running):
        queue = Pool().get("ir.queue")
        while running.queued:
            task = queue(running.queued.pop(0))
            if task.scheduled_at:
                running.is_settled = False
            else:
                # As the dispatcher does: started by nobody, then as whoever the task names, access unchecked.
                with Transaction().set_user(0), without_check_access():
                    task.run()


class Queue(metaclass=PoolMeta):
    """Work that is queued in a trial is done in it."""

    __name__ = "ir.queue"

    @classmethod
    def push(cls, *args, **kwargs):
        pushed = super().push(*args, **kwargs)
        if running := _running():
            running.queued.append(pushed)
            if config.getboolean("queue", "worker", default=False):
                running.is_settled = False
        return pushed


class Sequence(metaclass=PoolMeta):
    """A number that the database would not take back is looked at, not taken."""

    __name__ = "ir.sequence"

    def _get_many(self, n=1):
        running = _running()
        if not running or self._strict or self.type != "incremental":
            yield from super()._get_many(n=n)
            return
        ahead = running.looked_at.get(self.id, 0)
        running.looked_at[self.id] = ahead + n
        first = self.number_next + ahead * self.number_increment
        for place in range(n):
            yield f"{first + place * self.number_increment:0>{self.padding}d}"
