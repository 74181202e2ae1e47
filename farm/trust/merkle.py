"""The Merkle tree of RFC 6962 (section 2.1): append, root, inclusion and consistency proofs, and their verification.

Holds no key and touches no file. Appending costs O(1) hashes on average; roots and proofs cost O(log n): the hashes of
all complete subtrees are kept, level by level, in flat byte arrays (64 bytes for each leaf in all).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["EMPTY_ROOT", "HASH_SIZE", "MerkleTree", "leaf_hash", "node_hash", "verify_consistency", "verify_inclusion"]

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf that holds `data`."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class MerkleTree:
    """An append-only tree of leaf hashes; proofs can be had for every earlier size."""

    def __init__(self) -> None:
        self._levels: list[bytearray] = [bytearray()]
        """Level k holds the hashes of the complete subtrees of 2^k leaves, from the left."""

    def __len__(self) -> int:
        return len(self._levels[0]) // HASH_SIZE

    def append(self, leaf: bytes) -> int:
        """Add a leaf by its hash and return its index.

        Raises:
            ValueError: `leaf` is no SHA-256 hash.
        """
        if len(leaf) != HASH_SIZE:
            msg = f"a leaf hash has {HASH_SIZE} bytes, not {len(leaf)}"
            raise ValueError(msg)
        index, level, node = len(self), 0, leaf
        self._levels[0] += node
        # Each trailing one bit of the index is a subtree that this leaf completes.
        while (index >> level) & 1:
            node = node_hash(self._node(level, (index >> level) - 1), node)
            level += 1
            if level == len(self._levels):
                self._levels.append(bytearray())
            self._levels[level] += node
        return index

    def leaf(self, index: int) -> bytes:
        """Return the hash of the leaf at `index`.

        Raises:
            IndexError: no such leaf.
        """
        if not 0 <= index < len(self):
            msg = f"the tree has no leaf {index}"
            raise IndexError(msg)
        return self._node(0, index)

    def root(self, size: int | None = None) -> bytes:
        """Return the root of the first `size` leaves (default: of all).

        Raises:
            IndexError: the tree never had that size.
        """
        size = self._size(size)
        return self._range(0, size) if size else EMPTY_ROOT

    def inclusion_proof(self, index: int, size: int | None = None) -> list[bytes]:
        """Return the audit path of leaf `index` in the tree of the first `size` leaves (RFC 6962, 2.1.1).

        Raises:
            IndexError: no such leaf or size.
        """
        size = self._size(size)
        if not 0 <= index < size:
            msg = f"a tree of {size} leaves has no leaf {index}"
            raise IndexError(msg)
        path: list[bytes] = []
        low, high = 0, size
        while high - low > 1:
            middle = low + _split(high - low)
            if index < middle:
                path.append(self._range(middle, high))
                high = middle
            else:
                path.append(self._range(low, middle))
                low = middle
        path.reverse()
        return path

    def consistency_proof(self, old: int, size: int | None = None) -> list[bytes]:
        """Return the proof that the first `old` leaves are a prefix of the first `size` (RFC 6962, 2.1.2).

        Raises:
            IndexError: sizes that the tree never had, or `old` is 0.
        """
        size = self._size(size)
        if not 0 < old <= size:
            msg = f"no consistency proof from {old} to {size} leaves"
            raise IndexError(msg)
        path: list[bytes] = []
        low, high, whole = 0, size, True
        while old != high:
            middle = low + _split(high - low)
            if old <= middle:
                path.append(self._range(middle, high))
                high = middle
            else:
                path.append(self._range(low, middle))
                low, whole = middle, False
        if not whole:
            path.append(self._range(low, high))
        path.reverse()
        return path

    def _size(self, size: int | None) -> int:
        if size is None:
            return len(self)
        if not 0 <= size <= len(self):
            msg = f"the tree has {len(self)} leaves, never had {size}"
            raise IndexError(msg)
        return size

    def _node(self, level: int, index: int) -> bytes:
        start = index * HASH_SIZE
        return bytes(self._levels[level][start : start + HASH_SIZE])

    def _range(self, low: int, high: int) -> bytes:
        """Return the root of leaves low..high, where `low` is a multiple of the range's largest complete subtree."""
        count = high - low
        if count & (count - 1) == 0:
            level = count.bit_length() - 1
            return self._node(level, low >> level)
        middle = low + _split(count)
        return node_hash(self._range(low, middle), self._range(middle, high))


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Return whether `proof` shows the leaf hash at `index` in the tree of `size` leaves (RFC 9162 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    node, last, value = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            value = node_hash(sibling, value)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and value == root


def verify_consistency(old: int, size: int, old_root: bytes, root: bytes, proof: Sequence[bytes]) -> bool:
    """Return whether `proof` shows that the tree of `old` leaves is a prefix of that of `size` (RFC 9162, 2.1.4.2)."""
    if not 0 < old <= size:
        return False
    if old == size:
        return not proof and old_root == root
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    node, last = old - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            second = node_hash(second, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and first == old_root and second == root


def _split(count: int) -> int:
    """Return the largest power of two smaller than `count` (which is at least 2)."""
    return 1 << ((count - 1).bit_length() - 1)
