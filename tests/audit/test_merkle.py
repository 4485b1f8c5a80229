"""Tree heads and proofs are those of RFC 9162: checked against its recursive definitions, for every small tree."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.audit.merkle import (
    EMPTY,
    Frontier,
    Node,
    consistency_ranges,
    head_of,
    includes,
    inclusion_ranges,
    is_consistent,
    leaf_hash,
    root_of,
)

SIZES = range(1, 34)


def leaves(size: int) -> list[bytes]:
    return [leaf_hash(str(number).encode()) for number in range(size)]


def mth(hashes: Sequence[bytes]) -> bytes:
    """MTH(D_n) of RFC 9162, section 2.1.1, word for word."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = 1 << ((len(hashes) - 1).bit_length() - 1)
    return hashlib.sha256(b"\x01" + mth(hashes[:k]) + mth(hashes[k:])).digest()


def path(m: int, hashes: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D_n) of section 2.1.3.1."""
    if len(hashes) == 1:
        return []
    k = 1 << ((len(hashes) - 1).bit_length() - 1)
    if m < k:
        return [*path(m, hashes[:k]), mth(hashes[k:])]
    return [*path(m - k, hashes[k:]), mth(hashes[:k])]


def subproof(m: int, hashes: Sequence[bytes], *, b: bool) -> list[bytes]:
    """SUBPROOF(m, D_n, b) of section 2.1.4.1."""
    if m == len(hashes):
        return [] if b else [mth(hashes)]
    k = 1 << ((len(hashes) - 1).bit_length() - 1)
    if m <= k:
        return [*subproof(m, hashes[:k], b=b), mth(hashes[k:])]
    return [*subproof(m - k, hashes[k:], b=False), mth(hashes[:k])]


def proof(ranges: Sequence[tuple[int, int]], hashes: Sequence[bytes]) -> list[bytes]:
    def head(node: Node) -> bytes:
        level, index = node
        part = hashes[index << level : (index + 1) << level]
        assert len(part) == 1 << level
        return mth(part)

    return [head_of(span, head) for span in ranges]


def test_the_head_of_the_published_tree_comes_out() -> None:
    entries = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    root = root_of(leaf_hash(bytes.fromhex(entry)) for entry in entries)

    assert root.hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_an_empty_tree_has_the_head_of_nothing() -> None:
    assert Frontier().root() == root_of([]) == EMPTY == mth([])


@pytest.mark.parametrize("size", SIZES)
def test_a_frontier_grows_into_the_head_of_the_definition(size: int) -> None:
    assert root_of(leaves(size)) == mth(leaves(size))


@pytest.mark.parametrize("size", SIZES)
def test_inclusion_proofs_are_those_of_the_definition_and_verify(size: int) -> None:
    hashes = leaves(size)
    for index in range(size):
        steps = proof(inclusion_ranges(index, size), hashes)

        assert steps == path(index, hashes)
        assert includes(hashes[index], index, size, steps, root=mth(hashes))


@pytest.mark.parametrize("size", SIZES)
def test_consistency_proofs_are_those_of_the_definition_and_verify(size: int) -> None:
    hashes = leaves(size)
    for old in range(1, size + 1):
        steps = proof(consistency_ranges(old, size), hashes)

        assert steps == subproof(old, hashes, b=True)
        assert is_consistent((old, mth(hashes[:old])), (size, mth(hashes)), steps)


@given(st.integers(2, 64), st.data())
def test_no_other_leaf_place_size_or_step_is_proven(size: int, data: st.DataObject) -> None:
    hashes = leaves(size)
    index = data.draw(st.integers(0, size - 1))
    steps = proof(inclusion_ranges(index, size), hashes)
    other = data.draw(st.integers(0, size + 2).filter(lambda place: place != index))
    broken = data.draw(st.integers(0, len(steps) - 1))
    root = mth(hashes)

    assert not includes(leaf_hash(b"forged"), index, size, steps, root=root)
    assert not includes(hashes[index], other, size, steps, root=root)
    assert not includes(hashes[index], index, size, steps[:-1], root=root)
    assert not includes(hashes[index], index, size, [*steps, bytes(32)], root=root)
    assert not includes(hashes[index], index, size, [*steps[:broken], bytes(32), *steps[broken + 1 :]], root=root)


@given(st.integers(2, 64), st.data())
def test_a_rewritten_history_is_never_consistent(size: int, data: st.DataObject) -> None:
    hashes = leaves(size)
    old = data.draw(st.integers(1, size - 1))
    forged = list(hashes)
    forged[data.draw(st.integers(0, old - 1))] = leaf_hash(b"forged")
    honest, forger = proof(consistency_ranges(old, size), hashes), proof(consistency_ranges(old, size), forged)

    assert not is_consistent((old, mth(hashes[:old])), (size, mth(forged)), forger)
    assert not is_consistent((old, mth(hashes[:old])), (size, mth(forged)), honest)


def test_a_shorter_log_is_never_consistent_with_a_longer_one() -> None:
    hashes = leaves(8)

    assert not is_consistent((8, mth(hashes)), (7, mth(hashes[:7])), [])
    assert not is_consistent((8, mth(hashes)), (8, mth(hashes[:7])), [])
    assert not is_consistent((0, EMPTY), (7, mth(hashes[:7])), [])
    assert not is_consistent((4, mth(hashes[:4])), (8, mth(hashes)), [])
    assert not is_consistent((3, mth(hashes[:3])), (8, mth(hashes)), [])


@pytest.mark.parametrize(("index", "size"), [(-1, 4), (4, 4), (0, 0)])
def test_there_is_no_proof_for_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(IndexError):
        inclusion_ranges(index, size)


@pytest.mark.parametrize(("old", "size"), [(0, 4), (5, 4)])
def test_there_is_no_consistency_with_an_empty_or_a_larger_tree(old: int, size: int) -> None:
    with pytest.raises(IndexError):
        consistency_ranges(old, size)
