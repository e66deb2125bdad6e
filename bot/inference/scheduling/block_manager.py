"""Who holds which block of the KV cache, and which old blocks a new prompt may start from.

A block is found again by walking a tree from the prompt's start: each full block is a child of the one before it, under
the tokens themselves and the owner, never under a hash. Two conversations meet only on blocks that lie wholly inside
the shared prefix (a persona's system block); below it each owner has its own branches, and `forget` cuts them off.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_Key = tuple[str | None, tuple[int, ...]]


class CacheScope(NamedTuple):
    """Whose blocks a prompt may reuse, and whose its own become.

    The empty owner is nobody: beyond the shared prefix nothing is reused and nothing kept.
    """

    owner: str = ""
    num_shared_prefix_tokens: int = 0


class Reservation(NamedTuple):
    """A block table, and how many of its first tokens need no prefill."""

    block_ids: tuple[int, ...]
    num_cached_tokens: int


class _Node:
    """A full block that can be found again."""

    __slots__ = ("block_id", "children", "key", "parent")

    def __init__(self, block_id: int, key: _Key, parent: "_Node | None") -> None:
        self.block_id = block_id
        self.key = key
        self.parent = parent
        self.children: dict[_Key, _Node] = {}


class BlockManager:
    """Hands out the blocks 1 to `num_blocks` - 1; block 0 is the model runner's scratch.

    A block is free (no content worth keeping), held by at least one sequence, or idle: cached, held by none, and
    given away when no free one is left, least recently used first.
    """

    def __init__(self, num_blocks: int, block_size: int) -> None:
        self.block_size = block_size
        self.num_blocks = num_blocks - 1
        self._num_holders = [0] * num_blocks
        self._free = list(range(num_blocks - 1, 0, -1))
        self._idle: OrderedDict[int, None] = OrderedDict()
        self._nodes: dict[int, _Node] = {}
        self._nodes_of_owner: dict[str, set[_Node]] = {}
        self._root = _Node(0, (None, ()), None)

    @property
    def num_available(self) -> int:
        """Blocks that can be allocated now: free and idle ones."""
        return len(self._free) + len(self._idle)

    @property
    def num_cached(self) -> int:
        """Blocks that can be found again, held ones included."""
        return len(self._nodes)

    @property
    def num_owners(self) -> int:
        """Owners of blocks that can be found again."""
        return len(self._nodes_of_owner)

    def num_blocks_for(self, num_tokens: int) -> int:
        """Blocks that `num_tokens` tokens take."""
        return -(-num_tokens // self.block_size)

    def reserve(self, token_ids: Sequence[int], scope: CacheScope, *, num_spare: int = 0) -> Reservation | None:
        """A block table for `token_ids` that begins with as many cached blocks as match.

        At least one token is left to prefill. None if fewer than `num_spare` blocks would stay available.
        """
        cached = self._find(token_ids, scope)
        num_new = self.num_blocks_for(len(token_ids)) - len(cached)
        num_idle_reused = sum(block_id in self._idle for block_id in cached)
        if num_new + num_spare > self.num_available - num_idle_reused:
            return None
        for block_id in cached:
            self._hold(block_id)
        new = [self._take() for _ in range(num_new)]
        return Reservation((*cached, *new), len(cached) * self.block_size)

    def allocate(self) -> int | None:
        """One more block, or None if every block is held."""
        return self._take() if self.num_available else None

    def keep(self, block_ids: Sequence[int], token_ids: Sequence[int], scope: CacheScope) -> None:
        """Make the full blocks of `token_ids` findable; the blocks stay held until they are released."""
        node, duplicates = self._root, []
        for block_id, key in zip(block_ids, self._keys(token_ids, scope), strict=False):
            child = node.children.get(key)
            if child is None:
                child = self._add(block_id, key, node)
            elif child.block_id != block_id:
                duplicates.append(child.block_id)
            node = child
        for block_id in reversed(duplicates):  # the end of a prompt ages before its beginning
            if block_id in self._idle:
                self._idle.move_to_end(block_id)

    def release(self, block_ids: Sequence[int]) -> None:
        """Give up one hold on each block. What was kept stays findable until its block is needed."""
        for block_id in reversed(block_ids):
            self._num_holders[block_id] -= 1
            if self._num_holders[block_id]:
                continue
            if block_id in self._nodes:
                self._idle[block_id] = None
            else:
                self._free.append(block_id)

    def distrust(self, block_ids: Sequence[int]) -> None:
        """Make blocks unfindable, and with them all that was computed on top of them."""
        for block_id in block_ids:
            if node := self._nodes.get(block_id):
                self._drop(node)

    def forget(self, owner: str) -> None:
        """Make every block that belongs to `owner` alone unfindable."""
        while nodes := self._nodes_of_owner.get(owner):
            self._drop(next(iter(nodes)))

    def forget_all(self) -> None:
        """Make every block unfindable."""
        for node in list(self._root.children.values()):
            self._drop(node)

    def _keys(self, token_ids: Sequence[int], scope: CacheScope) -> Iterator[_Key]:
        """The keys of the full blocks, as far as `scope` may find or keep them."""
        for start in range(0, len(token_ids) - self.block_size + 1, self.block_size):
            end = start + self.block_size
            is_shared = end <= scope.num_shared_prefix_tokens
            if not is_shared and not scope.owner:
                return
            yield None if is_shared else scope.owner, tuple(token_ids[start:end])

    def _find(self, token_ids: Sequence[int], scope: CacheScope) -> list[int]:
        node = self._root
        block_ids: list[int] = []
        for key in self._keys(token_ids, scope):
            child = node.children.get(key)
            if child is None or (len(block_ids) + 1) * self.block_size >= len(token_ids):
                break
            block_ids.append(child.block_id)
            node = child
        return block_ids

    def _hold(self, block_id: int) -> None:
        self._idle.pop(block_id, None)
        self._num_holders[block_id] += 1

    def _take(self) -> int:
        if not self._free:
            self._drop(self._nodes[next(iter(self._idle))])
        block_id = self._free.pop()
        self._num_holders[block_id] = 1
        return block_id

    def _add(self, block_id: int, key: _Key, parent: _Node) -> _Node:
        node = _Node(block_id, key, parent)
        parent.children[key] = node
        self._nodes[block_id] = node
        if key[0] is not None:
            self._nodes_of_owner.setdefault(key[0], set()).add(node)
        return node

    def _drop(self, node: _Node) -> None:
        """Take a node and everything below it out of the tree: a block id must never stand for an older content."""
        assert node.parent is not None  # noqa: S101  (the root is never dropped; mypy can't know)
        del node.parent.children[node.key]
        fallen = [node]
        while fallen:
            node = fallen.pop()
            fallen.extend(node.children.values())
            del self._nodes[node.block_id]
            self._remove_from_owner(node)
            if node.block_id in self._idle:
                del self._idle[node.block_id]
                self._free.append(node.block_id)

    def _remove_from_owner(self, node: _Node) -> None:
        owner = node.key[0]
        if owner is None:
            return
        nodes = self._nodes_of_owner[owner]
        nodes.discard(node)
        if not nodes:
            del self._nodes_of_owner[owner]
