"""Writes to services that take them from drafts alone: a draft is made, written to, and activated, within one commit.

No metadata says that a service is one of these, so its owner does.
"""

from collections.abc import Mapping
from typing import Any, Final

from connectors.odata.addresses import record_path, set_path
from connectors.odata.shaping import ACTIVE
from connectors.odata.tools import Drafted, Unfit
from connectors.odata.wire import Service
from connectors.openapi.document import as_object
from connectors.sdk.errors import Accepted, ConnectorError, NotFound, Refused, Unknown
from connectors.sdk.vocabulary import UpstreamClass

Json = Any
"""Any JSON value."""

Object = dict[str, Json]

REFUSED_LATE: Final = (
    "If the service refuses the draft when it is activated, the draft is discarded; whether the record is as it was "
    "is then looked up, and not taken for granted."
)
_REQUESTS: Final = {"create": 3, "update": 4}
"""To make a draft, to write to it, to activate it, and to discard it if it is refused."""
_NEEDS: Final = {
    "create": {"activate": "ActivationAction"},
    "update": {"edit": "EditAction", "activate": "ActivationAction"},
}
_OF_LOOKUPS: Final = ("idempotency", "quarantine_seconds")


def by_draft(drafted: Drafted) -> Drafted:
    """Return the tool of a write as it is where live records are written from drafts alone; any other as it is.

    A new record is then found by no reference: its key is the draft's, and a draft that is not activated is no record.

    Raises:
        Unfit: the service names no action that it takes.
    """
    binding = drafted.spec["binding"]
    kind, draft = str(binding["kind"]), as_object(as_object(binding.get("target")).get("draft"))
    if kind not in _REQUESTS or not draft:
        return drafted
    if missing := [theirs for ours, theirs in _NEEDS[kind].items() if ours not in draft]:
        raise Unfit(f"It is written from drafts alone, and the service names no {' and no '.join(missing)}.")
    spec = {name: said for name, said in drafted.spec.items() if name not in _OF_LOOKUPS}
    spec |= {"binding": {**binding, "by_draft": True}, "max_unsafe_requests": _REQUESTS[kind]}
    if kind == "create":
        spec["upstream_class"] = UpstreamClass.D
        spec["binding"]["reference"] = []
    return Drafted(
        wanted_name=drafted.wanted_name,
        operation=drafted.operation,
        verdict=drafted.verdict,
        spec=spec,
        undone_by=drafted.undone_by,
        undo_arguments=drafted.undo_arguments,
        residue=drafted.residue,
        clear=drafted.clear,
    )


async def activated_update(
    service: Service, target: Mapping[str, Json], arguments: Mapping[str, Json], body: Object, *, etag: str
) -> Object:
    """Change a record through a draft of it, and return it.

    Raises:
        Conflict: the record is no longer as previewed, or somebody has a draft of it; nothing was done.
        Refused: the service refuses the draft, which was discarded.
        Unknown: an answer was lost or is not clear.
    """
    edit = f"{record_path(target, arguments)}/{target['draft']['edit']}"
    await service.post(edit, {"PreserveChanges": True}, etag=etag)
    return await _activated(service, target, arguments, body)


async def activated_create(service: Service, target: Mapping[str, Json], body: Object) -> Object:
    """Make a record through a draft, and return it.

    Raises:
        Refused: the service refuses the draft, which was discarded.
        Unknown: an answer was lost or is not clear.
    """
    draft = target["draft"]
    if "new" in draft:
        made = await service.post(f"{set_path(target)}/{draft['new']}", body)
    else:
        made = await service.post(set_path(target), {**body, ACTIVE: False})
    if made.get(ACTIVE) is not False:
        raise Unknown("The service was asked for a draft and does not say that it made one; look for the record.")
    return await _activated(
        service, target, {key["argument"]: made.get(name) for name, key in target["key"].items()}, {}
    )


async def _activated(
    service: Service, target: Mapping[str, Json], arguments: Mapping[str, Json], body: Object
) -> Object:
    path = record_path(target, arguments, is_draft=True)
    try:
        if body:
            await service.patch(path, body, etag="*")
        return await service.post(f"{path}/{target['draft']['activate']}", {}, etag="*")
    except Accepted:
        raise
    except Unknown as doubt:  # discarding takes nothing back: what was activated is no draft any more
        raise Unknown(f"{doubt.message} {await _discarded(service, path)}") from doubt
    except ConnectorError as refusal:
        raise Refused(f"{refusal.message} {await _discarded(service, path)}") from refusal


async def _discarded(service: Service, path: str) -> str:
    """Discard our own draft, which nobody will activate any more, and say what came of it."""
    try:
        await service.delete(path, etag="*")
    except NotFound:
        return "There is no draft of it."
    except ConnectorError as error:
        return f"Its draft could not be discarded; discard it by hand. {error.message}"
    return "Its draft was discarded."
