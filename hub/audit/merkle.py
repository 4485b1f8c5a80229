"""The Merkle tree of RFC 9162, section 2.1: leaf hashes, tree heads, and a frontier that grows in O(log n)."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

EMPTY = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """Return HASH(0x00 || entry)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return HASH(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(slots=True)
class Frontier:
    """The heads of the full subtrees of a tree of `size` leaves, largest first: all that appending needs."""

    size: int = 0
    heads: list[bytes] = field(default_factory=list[bytes])

    def add(self, leaf: bytes) -> None:
        """Append one leaf hash."""
        self.heads.append(leaf)
        # each trailing one bit of the old size is a full subtree that the new leaf completes
        completed = self.size
        while completed & 1:
            right = self.heads.pop()
            self.heads.append(node_hash(self.heads.pop(), right))
            completed >>= 1
        self.size += 1

    def root(self) -> bytes:
        """Return the tree head of RFC 9162, section 2.1.1."""
        if not self.heads:
            return EMPTY
        root = self.heads[-1]
        for head in reversed(self.heads[:-1]):
            root = node_hash(head, root)
        return root


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return the tree head over all of `leaves`."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.add(leaf)
    return frontier.root()


def inclusion_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Return the audit path of RFC 9162, section 2.1.3.1, for leaf `index` in the tree of `leaves`.

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    if len(leaves) == 1:
        return []
    middle = _split(len(leaves))
    if index < middle:
        return [*inclusion_path(index, leaves[:middle]), root_of(leaves[middle:])]
    return [*inclusion_path(index - middle, leaves[middle:]), root_of(leaves[:middle])]


def includes(leaf: bytes, index: int, size: int, path: Sequence[bytes], *, root: bytes) -> bool:
    """Return whether `path` proves that `leaf` stands at `index` in the tree of `size` with head `root`.

    Source: RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size:
        return False
    node, last, head = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if node & 1 or node == last:
            head = node_hash(step, head)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            head = node_hash(head, step)
        node, last = node >> 1, last >> 1
    return last == 0 and head == root


def _split(size: int) -> int:
    """Return the largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1
