"""The Merkle tree of RFC 9162, section 2.1: hashes, tree heads, proofs and their verification; no storage.

A complete subtree of 2^level leaves is named by its *node*: (level, number among those of its level). A tree head, an
inclusion proof and a consistency proof are all made of heads of *ranges* of leaves, and the head of a range is made of
few nodes. So a proof is planned first (which nodes?), then the nodes are fetched, then the plan is carried out.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

EMPTY: Final = hashlib.sha256(b"").digest()

HASH_BYTES: Final = 32

Node = tuple[int, int]
"""(level, index): the subtree of 2^level leaves that begins at leaf index * 2^level."""

Range = tuple[int, int]
"""(first, end): the leaves first..end-1; `first` is a multiple of the largest power of two in the length."""


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
        return _fold(self.heads) if self.heads else EMPTY


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return the tree head over all of `leaves`."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.add(leaf)
    return frontier.root()


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """Return the ranges whose heads prove that leaf `index` is in the tree of `size`, in the order of the proof.

    Source: RFC 9162, section 2.1.3.1.

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise IndexError(index)
    first, end = 0, size
    ranges: list[Range] = []
    while end - first > 1:
        middle = first + _split(end - first)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((first, middle))
            first = middle
    return ranges[::-1]


def consistency_ranges(old_size: int, size: int) -> list[Range]:
    """Return the ranges whose heads prove that the tree of `old_size` is a prefix of the tree of `size`.

    Source: RFC 9162, section 2.1.4.1.

    Raises:
        IndexError: the old tree is empty or larger than the new one.
    """
    if not 0 < old_size <= size:
        raise IndexError(old_size)
    first, end = 0, size
    ranges: list[Range] = []
    while end != old_size:
        middle = first + _split(end - first)
        if old_size <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((first, middle))
            first = middle
    if first:  # else what is left is the old tree itself, whose head the verifier has
        ranges.append((first, end))
    return ranges[::-1]


def nodes_of(span: Range) -> Iterator[Node]:
    """Return the nodes that make up the range, from left to right."""
    first, end = span
    while first < end:
        level = (end - first).bit_length() - 1
        yield level, first >> level
        first += 1 << level


def head_of(span: Range, head: Callable[[Node], bytes]) -> bytes:
    """Return the head of the range, made from the heads of its nodes."""
    return _fold([head(node) for node in nodes_of(span)])


def includes(leaf: bytes, index: int, size: int, path: Sequence[bytes], *, root: bytes) -> bool:
    """Return whether `path` proves that `leaf` stands at `index` in the tree of `size` with head `root`.

    Source: RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size:
        return False
    sides = _left_sides(index, size - 1, len(path))
    if sides is None:
        return False
    head = leaf
    for step, is_left in zip(path, sides, strict=True):
        head = node_hash(step, head) if is_left else node_hash(head, step)
    return head == root


def is_consistent(old: tuple[int, bytes], new: tuple[int, bytes], path: Sequence[bytes]) -> bool:
    """Return whether `path` proves that the tree `old` (size, head) is a prefix of the tree `new`.

    Source: RFC 9162, section 2.1.4.2.
    """
    (old_size, old_root), (size, root) = old, new
    if not 0 < old_size < size:
        return old == new and old_size > 0 and not path
    is_complete = old_size & (old_size - 1) == 0  # then the old head itself is the first step
    steps = [old_root, *path] if is_complete else list(path)
    shared = ((old_size - 1) ^ old_size).bit_length() - 1  # levels at the bottom that lie within the first step
    sides = _left_sides((old_size - 1) >> shared, (size - 1) >> shared, len(steps) - 1)
    if sides is None:
        return False
    before = after = steps[0]
    for step, is_left in zip(steps[1:], sides, strict=True):
        before = node_hash(step, before) if is_left else before
        after = node_hash(step, after) if is_left else node_hash(after, step)
    return before == old_root and after == root


def _left_sides(node: int, last: int, count: int) -> list[bool] | None:
    """Return for each of `count` steps from `node` up to the head whether it stands on the left; None: a wrong count.

    `last` is the rightmost node of that level; a node without a right neighbour rises until it has a left one.
    """
    sides: list[bool] = []
    while last > 0:
        is_left = bool(node & 1) or node == last
        sides.append(is_left)
        while is_left and not node & 1 and node:
            node, last = node >> 1, last >> 1
        node, last = node >> 1, last >> 1
    return sides if len(sides) == count else None


def _fold(heads: Sequence[bytes]) -> bytes:
    head = heads[-1]
    for left in reversed(heads[:-1]):
        head = node_hash(left, head)
    return head


def _split(size: int) -> int:
    """Return the largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1
