# Copyright the toolhub maintainers. Licence: GPL-3.0-or-later, see LICENSE.
"""Calling a method as the dispatcher would: same access, same context, same guard; and reading in the same way."""

from trytond.exceptions import UserError
from trytond.pool import Pool
from trytond.transaction import Transaction


def call(model, method, arguments):
    """Return what a method returns; what nobody may call by RPC is not called."""
    transaction = Transaction()
    target, rpc = callable_by_rpc(model, method)
    args, kwargs, context, _ = rpc.convert(target, *arguments, dict(transaction.context))
    with transaction.set_context(context):
        return rpc.result(rpc.decorate(getattr(target, method))(*args, **kwargs))


def rows_of(model, domain, names):
    """Return the rows of `model` within `domain`, oldest first."""
    return call(model, "search_read", [domain, 0, None, [["id", "ASC"]], names])


def callable_by_rpc(model, method):
    """Return a model and how `method` of it may be called by RPC; what nobody may call is refused."""
    try:
        target = Pool().get(model)
        return target, target.__rpc__[method]
    except KeyError as error:
        raise UserError(f"There is no method {method!r} of {model!r} to try.") from error
