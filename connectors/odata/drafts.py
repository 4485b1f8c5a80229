"""Trying a write on a draft, which the service makes, checks and shows; it is discarded, no live record is touched."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from connectors.odata.addresses import record_path, set_path
from connectors.odata.answers import refuse_messages
from connectors.odata.wire import Service
from connectors.openapi.document import as_object, as_text
from connectors.sdk.errors import ConnectorError, Unavailable, Unreadable

Json = Any
"""Any JSON value."""

Object = dict[str, Json]

NOT_RUN: Final = "The service kept and checked a draft of it; what it does when it takes a draft over has not run."
UNTRIED: Final = "The service names no action by which this could be tried on a draft."
LIVE_UNSAID: Final = (
    "It is written to the live record. Whether the service takes that, and not from a draft alone, its metadata does "
    "not say."
)


async def tried_update(
    service: Service, target: Mapping[str, Json], arguments: Mapping[str, Json], body: Object, *, etag: str
) -> Object:
    """Return the record as its draft is after the change.

    Raises:
        ConnectorError: the service refuses it, somebody else is editing the record, or a draft could not be discarded.
    """
    edit = f"{record_path(target, arguments)}/{target['draft']['edit']}"
    await service.post(edit, {"PreserveChanges": True}, etag=etag, is_safe=True)
    async with _discarded(service, target, arguments):
        path = record_path(target, arguments, is_draft=True)
        await service.patch(path, body, etag="*", is_safe=True)
        return await _checked(service, target, path)


async def tried_create(service: Service, target: Mapping[str, Json], body: Object) -> Object:
    """Return the record that the service would make of `body`.

    Raises:
        ConnectorError: the service refuses it, or a draft could not be discarded.
    """
    made = await service.post(f"{set_path(target)}/{target['draft']['new']}", body, is_safe=True)
    arguments = {key["argument"]: made.get(name) for name, key in target["key"].items()}
    if made.get("IsActiveEntity") is not False:
        raise Unreadable("The service made a draft and did not say that it is one; look for it by hand.")
    async with _discarded(service, target, arguments):
        return await _checked(service, target, record_path(target, arguments, is_draft=True))


async def _checked(service: Service, target: Mapping[str, Json], path: str) -> Object:
    draft = as_object(target["draft"])
    if prepare := as_text(draft.get("prepare")):
        await service.post(f"{path}/{prepare}", {}, etag="*", is_safe=True)
    record, _ = await service.record(path)
    refuse_messages(record, as_text(draft.get("messages")))
    return record


@asynccontextmanager
async def _discarded(
    service: Service, target: Mapping[str, Json], arguments: Mapping[str, Json]
) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        try:
            await service.delete(record_path(target, arguments, is_draft=True), etag="*", is_safe=True)
        except ConnectorError as error:
            raise Unavailable(
                f"The draft that the preview made could not be discarded; discard it by hand. {error.message}"
            ) from error
