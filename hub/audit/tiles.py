"""Tiles: the tree's hashes as stored, 256 to a row, so that growing it and proving from it touch few rows.

A tile of level 0 holds leaf hashes; a full tile's head is one hash in a tile of level 1, and so on.
Source: C2SP, tlog-tiles.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import delete, insert, select, tuple_

from hub.audit.merkle import HASH_BYTES, Node, Range, head_of, node_hash, nodes_of
from hub.audit.tables import TileRow
from hub.core.errors import Unavailable
from hub.storage import Tx

HEIGHT: Final = 8
WIDTH: Final = 1 << HEIGHT

_KEPT_TILES: Final = 64
_LOOKED_UP_AT_ONCE: Final = 200

Tile = tuple[int, int]
"""(level, number) of a tile."""


async def grow(tx: Tx, size: int, leaves: Sequence[bytes]) -> None:
    """Append `leaves` to the stored tree of `size` leaves; rewrites one row per level and adds full ones."""
    level, hashes = 0, list(leaves)
    while hashes:
        begun = size % WIDTH
        number = size // WIDTH
        if begun:
            hashes = [*_split_hashes(await _stored(tx, (level, number))), *hashes]
            await tx.execute(delete(TileRow).where(TileRow.level == level, TileRow.number == number))
        tiles = [hashes[start : start + WIDTH] for start in range(0, len(hashes), WIDTH)]
        rows: list[dict[str, Any]] = [
            {"level": level, "number": number + offset, "hashes": b"".join(tile)} for offset, tile in enumerate(tiles)
        ]
        await tx.execute(insert(TileRow), rows)
        hashes = [_heads(tile)[-1][0] for tile in tiles if len(tile) == WIDTH]
        level, size = level + 1, number


async def _stored(tx: Tx, tile: Tile) -> bytes:
    level, number = tile
    query = select(TileRow.hashes).where(TileRow.level == level, TileRow.number == number)
    return (await tx.execute(query)).scalar_one()


class Prover:
    """Makes proofs from stored tiles; keeps the tiles it used last, since neighbours need mostly the same ones."""

    def __init__(self) -> None:
        self._heads: dict[Tile, list[list[bytes]]] = {}

    async def prove(self, tx: Tx, proofs: Sequence[Sequence[Range]]) -> list[list[bytes]]:
        """Return the heads of the ranges of each proof.

        Raises:
            Unavailable: a part of the stored tree is missing.
        """
        wanted = {_tile_of(node) for ranges in proofs for span in ranges for node in nodes_of(span)}
        await self._load(tx, wanted)
        return [[head_of(span, self._head) for span in ranges] for ranges in proofs]

    async def _load(self, tx: Tx, wanted: set[Tile]) -> None:
        missing = sorted(wanted - self._heads.keys())
        if len(self._heads) > _KEPT_TILES:
            self._heads = {tile: heads for tile, heads in self._heads.items() if tile in wanted}
        for start in range(0, len(missing), _LOOKED_UP_AT_ONCE):
            some = missing[start : start + _LOOKED_UP_AT_ONCE]
            for row in await tx.execute(
                select(TileRow.level, TileRow.number, TileRow.hashes).where(
                    tuple_(TileRow.level, TileRow.number).in_(some)
                )
            ):
                self._heads[row.level, row.number] = _heads(_split_hashes(row.hashes))

    def _head(self, node: Node) -> bytes:
        level, index = node
        within = level % HEIGHT
        try:
            return self._heads[_tile_of(node)][within][index % (WIDTH >> within)]
        except LookupError as error:
            raise Unavailable("A part of the audit log's tree is missing; restore the table audit_tiles.") from error


def _tile_of(node: Node) -> Tile:
    level, index = node
    return level // HEIGHT, index >> (HEIGHT - level % HEIGHT)


def _heads(hashes: Sequence[bytes]) -> list[list[bytes]]:
    """Return the tile's hashes, then the heads of its complete pairs, of its complete fours, ... up to its head."""
    levels = [list(hashes)]
    for _ in range(HEIGHT):
        below = levels[-1]
        levels.append([node_hash(below[at], below[at + 1]) for at in range(0, len(below) - 1, 2)])
    return levels


def _split_hashes(packed: bytes) -> list[bytes]:
    return [packed[start : start + HASH_BYTES] for start in range(0, len(packed), HASH_BYTES)]
