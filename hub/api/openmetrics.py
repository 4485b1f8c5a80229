"""Numbers for operators in the text format of Prometheus and OpenMetrics: for operators, or a collector's token."""

from collections.abc import Callable, Iterable, Iterator
from hmac import compare_digest
from importlib.metadata import version
from typing import Annotated, Any, Final, cast

from fastapi import APIRouter, Depends, Header, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from starlette.requests import Request

from hub.api.access import Access, RuntimeParameter, runtime_of
from hub.identity.permissions import Permission
from hub.identity.secrets import hash_secret
from hub.metrics import Reading, readings
from hub.storage import Database

router = APIRouter(tags=["metrics"])

_OPENMETRICS: Final = "application/openmetrics-text"
_STRICTLY: Final = cast("Callable[[CollectorRegistry], bytes]", cast("Any", openmetrics).generate_latest)
"""Writes OpenMetrics; the library has no types for it."""
_TEXT: Final = {"schema": {"type": "string"}}
_FOR_THOSE_WHO_RUN_IT: Final = Access(Permission.SEE_HEALTH)


async def _collector(request: Request) -> None:
    """Let those pass who see how the hub is, and whoever holds the token that the settings name."""
    expected = runtime_of(request).scraper
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    is_known = compare_digest(hash_secret(token.strip()), expected)
    if not (expected and scheme.lower() == "bearer" and is_known):
        await _FOR_THOSE_WHO_RUN_IT(request)


@router.get(
    "/openmetrics",
    operation_id="getOpenMetrics",
    summary="Numbers for Prometheus",
    dependencies=[Depends(_collector)],
    response_class=Response,
    responses={200: {"content": {"text/plain": _TEXT, _OPENMETRICS: _TEXT}}},
)
async def get_openmetrics(runtime: RuntimeParameter, accept: Annotated[str, Header(max_length=1000)] = "") -> Response:
    """Return how calls stand, what waits and for how long, which workers are at work, and the pool of this process.

    Counts and ages by states alone: no names, no arguments. Operators may read it, and a collector with the token that
    `TOOLHUB_SCRAPE_TOKEN` names.
    """
    async with runtime.database.reading() as tx:
        found = await readings(tx)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Found([*found, *_of_this_process(runtime.database)]))
    if _OPENMETRICS in accept:
        return Response(_STRICTLY(registry), media_type=openmetrics.CONTENT_TYPE_LATEST)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)


class _Found(Collector):
    """What was read, as the library wants to be given it."""

    def __init__(self, found: Iterable[Reading]) -> None:
        self._found = tuple(found)

    def collect(self) -> Iterator[Metric]:
        """Yield one family for each reading."""
        for one in self._found:
            kind = CounterMetricFamily if one.is_counter else GaugeMetricFamily
            family = kind(f"toolhub_{one.name}", one.says, labels=one.labels)
            for labels, value in one.values:
                family.add_metric(labels, value)
            yield family


def _of_this_process(database: Database) -> list[Reading]:
    pool, engine = database.pool, "sqlite" if database.is_sqlite else "postgresql"
    return [
        Reading(
            name="database_connections",
            says="Connections of this process to the database.",
            labels=("use",),
            values=[(("in_use",), float(pool.in_use)), (("idle",), float(pool.idle))],
        ),
        Reading(
            name="release",
            says="Which release this is, on which engine.",
            labels=("version", "engine"),
            values=[((version("toolhub"), engine), 1.0)],
        ),
    ]
