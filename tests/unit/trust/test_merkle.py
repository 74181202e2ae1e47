from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.trust.merkle import (
    EMPTY_ROOT,
    MerkleTree,
    leaf_hash,
    node_hash,
    verify_consistency,
    verify_inclusion,
)


def leaves(count: int) -> list[bytes]:
    return [leaf_hash(str(n).encode()) for n in range(count)]


def tree_of(hashes: list[bytes]) -> MerkleTree:
    tree = MerkleTree()
    for leaf in hashes:
        tree.append(leaf)
    return tree


def split(count: int) -> int:
    power = 1
    while power * 2 < count:
        power *= 2
    return power


def naive_root(hashes: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word by word."""
    if not hashes:
        return hashlib.sha256().digest()
    if len(hashes) == 1:
        return hashes[0]
    k = split(len(hashes))
    return node_hash(naive_root(hashes[:k]), naive_root(hashes[k:]))


def naive_path(index: int, hashes: list[bytes]) -> list[bytes]:
    """RFC 6962, 2.1.1."""
    if len(hashes) == 1:
        return []
    k = split(len(hashes))
    if index < k:
        return [*naive_path(index, hashes[:k]), naive_root(hashes[k:])]
    return [*naive_path(index - k, hashes[k:]), naive_root(hashes[:k])]


def naive_consistency(old: int, hashes: list[bytes], *, whole: bool = True) -> list[bytes]:
    """RFC 6962, 2.1.2."""
    if old == len(hashes):
        return [] if whole else [naive_root(hashes)]
    k = split(len(hashes))
    if old <= k:
        return [*naive_consistency(old, hashes[:k], whole=whole), naive_root(hashes[k:])]
    return [*naive_consistency(old - k, hashes[k:], whole=False), naive_root(hashes[:k])]


sizes = st.integers(min_value=1, max_value=140)


@given(sizes)
def test_the_root_is_that_of_the_rfc_at_every_earlier_size_too(size: int) -> None:
    hashes = leaves(size)
    tree = tree_of(hashes)
    assert len(tree) == size
    assert tree.root() == naive_root(hashes)
    assert [tree.root(n) for n in range(size + 1)] == [naive_root(hashes[:n]) for n in range(size + 1)]


@given(st.data(), sizes)
def test_inclusion_proofs_are_those_of_the_rfc_and_verify(data: st.DataObject, size: int) -> None:
    hashes = leaves(size)
    tree = tree_of(hashes)
    at = data.draw(st.integers(min_value=1, max_value=size))
    index = data.draw(st.integers(min_value=0, max_value=at - 1))
    proof = tree.inclusion_proof(index, at)
    assert proof == naive_path(index, hashes[:at])
    assert verify_inclusion(hashes[index], index, at, proof, tree.root(at))


@given(st.data(), sizes)
def test_a_changed_inclusion_proof_does_not_verify(data: st.DataObject, size: int) -> None:
    tree = tree_of(leaves(size))
    index = data.draw(st.integers(min_value=0, max_value=size - 1))
    proof, root = tree.inclusion_proof(index), tree.root()
    assert not verify_inclusion(leaf_hash(b"another"), index, size, proof, root)
    assert not verify_inclusion(tree.leaf(index), index, size, [*proof, root], root)
    assert not verify_inclusion(tree.leaf(index), index, index, proof, root)
    for n in range(len(proof)):
        assert not verify_inclusion(tree.leaf(index), index, size, proof[:n] + proof[n + 1 :], root)
        changed = [bytes(32) if n == m else node for m, node in enumerate(proof)]
        assert not verify_inclusion(tree.leaf(index), index, size, changed, root)
    for other in range(size):
        assert verify_inclusion(tree.leaf(index), other, size, proof, root) == (other == index)


@given(st.data(), sizes)
def test_consistency_proofs_are_those_of_the_rfc_and_verify(data: st.DataObject, size: int) -> None:
    hashes = leaves(size)
    tree = tree_of(hashes)
    old = data.draw(st.integers(min_value=1, max_value=size))
    proof = tree.consistency_proof(old)
    assert proof == naive_consistency(old, hashes)
    assert verify_consistency(old, size, tree.root(old), tree.root(), proof)
    assert not verify_consistency(old, size, bytes(32), tree.root(), proof)
    assert not verify_consistency(old, size, tree.root(old), bytes(32), proof)


def test_a_rewritten_history_has_no_consistency_proof() -> None:
    honest, forged = tree_of(leaves(7)), tree_of([leaf_hash(b"forged"), *leaves(11)[1:]])
    assert not verify_consistency(7, 11, honest.root(), forged.root(), forged.consistency_proof(7))


def test_an_empty_tree_has_the_hash_of_nothing() -> None:
    assert MerkleTree().root() == EMPTY_ROOT


def test_what_the_tree_does_not_hold_is_an_error() -> None:
    tree = tree_of(leaves(3))
    with pytest.raises(IndexError):
        tree.root(4)
    with pytest.raises(IndexError):
        tree.inclusion_proof(3)
    with pytest.raises(IndexError):
        tree.inclusion_proof(2, 2)
    with pytest.raises(IndexError):
        tree.consistency_proof(0)
    with pytest.raises(IndexError):
        tree.leaf(3)
    with pytest.raises(ValueError, match="32 bytes"):
        tree.append(b"short")
