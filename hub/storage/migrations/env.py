"""What Alembic runs: the connection, and when a revision is written the models, are handed in, never looked up."""

from typing import Any, Literal

from alembic import context

from hub.storage.types import Json, Moment

config = context.config


def render(kind: str, item: Any, _context: Any) -> str | Literal[False]:  # noqa: ANN401  # Alembic's own signature
    """Write our column types by the names that migrations import them under."""
    if kind == "type" and isinstance(item, Moment):
        return "Moment()"
    return "Json" if kind == "type" and item is Json else False


context.configure(
    connection=config.attributes["connection"],
    target_metadata=config.attributes.get("metadata"),
    render_as_batch=True,
    compare_type=True,
    render_item=render,
)
# the caller holds the transaction: all revisions take effect together or not at all
context.run_migrations()
