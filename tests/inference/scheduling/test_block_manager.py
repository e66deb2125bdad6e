"""Who holds which block, and what may be found again."""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from bot.inference.scheduling.block_manager import BlockManager, CacheScope, Reservation

SIZE = 4
ANN, BOB, NOBODY = CacheScope("ann"), CacheScope("bob"), CacheScope("")


def tokens(num_tokens: int, first: int = 0) -> list[int]:
    return list(range(first, first + num_tokens))


def reserve(blocks: BlockManager, token_ids: list[int], scope: CacheScope) -> Reservation:
    reservation = blocks.reserve(token_ids, scope)
    assert reservation is not None
    return reservation


def use(blocks: BlockManager, token_ids: list[int], scope: CacheScope) -> Reservation:
    """A sequence's whole life."""
    reservation = reserve(blocks, token_ids, scope)
    blocks.keep(reservation.block_ids, token_ids, scope)
    blocks.release(reservation.block_ids)
    return reservation


def test_scratch_block_is_never_handed_out() -> None:
    blocks = BlockManager(num_blocks=4, block_size=SIZE)

    reservation = reserve(blocks, tokens(3 * SIZE), ANN)

    assert sorted(reservation.block_ids) == [1, 2, 3]
    assert blocks.num_available == 0
    assert blocks.allocate() is None


def test_owner_finds_its_full_blocks_again() -> None:
    blocks = BlockManager(num_blocks=10, block_size=SIZE)
    first = use(blocks, tokens(2 * SIZE + 3), ANN)

    again = reserve(blocks, tokens(2 * SIZE + 5), ANN)

    assert again.block_ids[:2] == first.block_ids[:2]
    assert again.num_cached_tokens == 2 * SIZE


def test_at_least_one_token_is_left_to_prefill() -> None:
    blocks = BlockManager(num_blocks=10, block_size=SIZE)
    use(blocks, tokens(2 * SIZE), ANN)

    again = reserve(blocks, tokens(2 * SIZE), ANN)

    assert again.num_cached_tokens == SIZE


def test_same_block_after_another_beginning_is_not_found() -> None:
    blocks = BlockManager(num_blocks=10, block_size=SIZE)
    use(blocks, [1, 1, 1, 1, 5, 5, 5, 5], ANN)

    other = reserve(blocks, [2, 2, 2, 2, 5, 5, 5, 5, 6], ANN)

    assert other.num_cached_tokens == 0


def test_other_owners_blocks_are_not_found() -> None:
    blocks = BlockManager(num_blocks=10, block_size=SIZE)
    use(blocks, tokens(2 * SIZE + 1), ANN)

    other = reserve(blocks, tokens(2 * SIZE + 1), BOB)

    assert other.num_cached_tokens == 0


def test_only_blocks_wholly_inside_the_shared_prefix_are_shared() -> None:
    blocks = BlockManager(num_blocks=10, block_size=SIZE)
    use(blocks, tokens(3 * SIZE), CacheScope("ann", num_shared_prefix_tokens=2 * SIZE - 1))

    other = reserve(blocks, tokens(3 * SIZE), CacheScope("bob", num_shared_prefix_tokens=2 * SIZE - 1))

    assert other.num_cached_tokens == SIZE


def test_block_is_shared_only_if_both_sides_say_so() -> None:
    blocks = BlockManager(num_blocks=10, block_size=SIZE)
    use(blocks, tokens(2 * SIZE), ANN)

    other = reserve(blocks, tokens(2 * SIZE), CacheScope("bob", num_shared_prefix_tokens=SIZE))

    assert other.num_cached_tokens == 0


def test_nobodys_blocks_are_not_kept_beyond_the_shared_prefix() -> None:
    blocks = BlockManager(num_blocks=10, block_size=SIZE)
    use(blocks, tokens(3 * SIZE), CacheScope("", num_shared_prefix_tokens=SIZE))

    assert reserve(blocks, tokens(3 * SIZE), CacheScope("", num_shared_prefix_tokens=SIZE)).num_cached_tokens == SIZE
    assert blocks.num_cached == 1


def test_forgotten_owner_finds_only_what_is_shared() -> None:
    blocks = BlockManager(num_blocks=20, block_size=SIZE)
    ann, bob = CacheScope("ann", SIZE), CacheScope("bob", SIZE)
    use(blocks, tokens(3 * SIZE), ann)
    use(blocks, tokens(3 * SIZE), bob)

    blocks.forget("ann")

    assert reserve(blocks, tokens(3 * SIZE), ann).num_cached_tokens == SIZE
    assert reserve(blocks, tokens(3 * SIZE), bob).num_cached_tokens == 2 * SIZE


def test_forgetting_spares_the_holders_of_a_block() -> None:
    blocks = BlockManager(num_blocks=4, block_size=SIZE)
    held = reserve(blocks, tokens(2 * SIZE), ANN)
    blocks.keep(held.block_ids, tokens(2 * SIZE), ANN)

    blocks.forget("ann")

    assert blocks.num_available == 1
    blocks.release(held.block_ids)
    assert blocks.num_available == 3


def test_least_recently_used_block_goes_first() -> None:
    blocks = BlockManager(num_blocks=5, block_size=SIZE)
    use(blocks, tokens(SIZE + 1, first=100), ANN)
    use(blocks, tokens(SIZE + 1, first=200), ANN)
    use(blocks, tokens(SIZE + 1, first=100), ANN)

    blocks.release(reserve(blocks, tokens(3 * SIZE, first=300), BOB).block_ids)

    assert reserve(blocks, tokens(SIZE + 1, first=100), ANN).num_cached_tokens == SIZE
    assert reserve(blocks, tokens(SIZE + 1, first=200), ANN).num_cached_tokens == 0


def test_block_counts_as_used_when_its_twin_was() -> None:
    blocks = BlockManager(num_blocks=5, block_size=SIZE)
    one, twin = reserve(blocks, tokens(SIZE + 1), ANN), reserve(blocks, tokens(SIZE + 1), ANN)
    blocks.release(one.block_ids[1:])
    blocks.keep(one.block_ids[:1], tokens(SIZE), ANN)
    blocks.release(one.block_ids[:1])
    blocks.release(twin.block_ids[1:])
    use(blocks, tokens(SIZE, first=200), ANN)

    blocks.keep(twin.block_ids[:1], tokens(SIZE), ANN)
    blocks.release(twin.block_ids[:1])
    blocks.release(reserve(blocks, tokens(3 * SIZE, first=300), BOB).block_ids)

    assert reserve(blocks, tokens(SIZE + 1), ANN).num_cached_tokens == SIZE


def test_end_of_a_conversation_goes_before_its_beginning() -> None:
    blocks = BlockManager(num_blocks=5, block_size=SIZE)
    use(blocks, tokens(4 * SIZE), ANN)

    reserve(blocks, tokens(2 * SIZE, first=100), BOB)
    blocks.forget("bob")

    assert blocks.num_cached == 2
    again = blocks.reserve(tokens(2 * SIZE + 1), ANN)
    assert again is None  # the two that are left are found, and there is no third


def test_given_away_block_takes_what_was_built_on_it_along() -> None:
    blocks = BlockManager(num_blocks=6, block_size=SIZE)
    one, other = reserve(blocks, tokens(SIZE), ANN), reserve(blocks, tokens(2 * SIZE), ANN)
    blocks.keep(one.block_ids, tokens(SIZE), ANN)
    blocks.keep(other.block_ids, tokens(2 * SIZE), ANN)  # its second block hangs on the first one's twin
    blocks.release(other.block_ids)
    blocks.release(one.block_ids)

    blocks.distrust(one.block_ids)

    assert blocks.num_cached == 0
    assert blocks.num_available == 5


def test_distrusted_blocks_are_not_found() -> None:
    blocks = BlockManager(num_blocks=10, block_size=SIZE)
    first = use(blocks, tokens(3 * SIZE), ANN)

    blocks.distrust(first.block_ids[1:])

    assert reserve(blocks, tokens(3 * SIZE), ANN).num_cached_tokens == SIZE


def test_reservation_leaves_the_spare_blocks_alone() -> None:
    blocks = BlockManager(num_blocks=5, block_size=SIZE)

    assert blocks.reserve(tokens(3 * SIZE), NOBODY, num_spare=2) is None
    assert blocks.reserve(tokens(3 * SIZE), NOBODY, num_spare=1) is not None


def test_idle_blocks_that_are_reused_do_not_count_as_available() -> None:
    blocks = BlockManager(num_blocks=4, block_size=SIZE)
    use(blocks, tokens(3 * SIZE), ANN)

    assert blocks.num_available == 3
    assert blocks.reserve(tokens(4 * SIZE), ANN) is None


@dataclass
class Held:
    table: list[int]
    token_ids: list[int]
    scope: CacheScope


@dataclass
class Content:
    """What a block holds: the tokens up to its end, who computed it, and whether it may still be found."""

    token_ids: list[int]
    scope: CacheScope
    is_findable: bool = True


class BlockManagerMachine(RuleBasedStateMachine):
    """Random lives of sequences against a plain model of what stands in each block."""

    held = Bundle("held")
    prompts = st.lists(st.integers(0, 1), min_size=1, max_size=14)
    scopes = st.builds(CacheScope, st.sampled_from(["", "ann", "bob"]), st.integers(0, 6))

    def __init__(self) -> None:
        super().__init__()
        self.blocks = BlockManager(num_blocks=9, block_size=2)
        self.contents: dict[int, Content] = {}
        self.lives: list[Held] = []

    def holders(self) -> list[int]:
        return [block_id for life in self.lives for block_id in life.table]

    @rule(target=held, token_ids=prompts, scope=scopes, num_spare=st.integers(0, 2))
    def reserve(self, token_ids: list[int], scope: CacheScope, num_spare: int) -> Held | None:
        held, num_available = set(self.holders()), self.blocks.num_available
        reservation = self.blocks.reserve(token_ids, scope, num_spare=num_spare)
        if reservation is None:
            assert self.blocks.num_available == num_available
            return None
        table = list(reservation.block_ids)
        num_found = reservation.num_cached_tokens // 2
        assert len(table) == -(-len(token_ids) // 2)
        assert reservation.num_cached_tokens < len(token_ids)
        assert self.blocks.num_available >= num_spare
        for index, block_id in enumerate(table[:num_found]):
            self._check_found(self.contents[block_id], token_ids[: 2 * index + 2], scope)
        for index, block_id in enumerate(table[num_found:], num_found):
            assert block_id not in held
            self.contents[block_id] = Content(token_ids[: 2 * index + 2], scope)
        life = Held(table, token_ids, scope)
        self.lives.append(life)
        return life

    def _check_found(self, content: Content, token_ids: list[int], scope: CacheScope) -> None:
        assert content.token_ids == token_ids
        assert content.is_findable
        is_shared = len(token_ids) <= min(scope.num_shared_prefix_tokens, content.scope.num_shared_prefix_tokens)
        assert is_shared or (scope.owner == content.scope.owner != "")

    @rule(life=held, token=st.integers(0, 1))
    def grow(self, life: Held | None, token: int) -> None:
        if life not in self.lives or life is None:
            return
        if len(life.token_ids) % 2 == 0:
            held = set(self.holders())
            block_id = self.blocks.allocate()
            if block_id is None:
                assert len(held) == 8
                return
            assert block_id not in held
            life.table.append(block_id)
        life.token_ids = [*life.token_ids, token]
        self.contents[life.table[-1]] = Content(life.token_ids, life.scope)

    @rule(life=held)
    def keep(self, life: Held | None) -> None:
        if life not in self.lives or life is None:
            return
        self.blocks.keep(life.table, life.token_ids, life.scope)
        for block_id in life.table:  # who keeps a block vouches for it, though another may have distrusted it
            content = self.contents[block_id]
            if life.scope.owner or len(content.token_ids) <= life.scope.num_shared_prefix_tokens:
                content.is_findable = True

    @rule(life=consumes(held))
    def release(self, life: Held | None) -> None:
        if life in self.lives and life is not None:
            self.lives.remove(life)
            self.blocks.release(life.table)

    @rule(life=consumes(held))
    def distrust_and_release(self, life: Held | None) -> None:
        if life in self.lives and life is not None:
            self.blocks.distrust(life.table)
            for block_id in life.table:
                self.contents[block_id].is_findable = False
            self.lives.remove(life)
            self.blocks.release(life.table)

    @rule(owner=st.sampled_from(["ann", "bob"]))
    def forget(self, owner: str) -> None:
        self.blocks.forget(owner)
        for content in self.contents.values():
            is_private = len(content.token_ids) > content.scope.num_shared_prefix_tokens
            if content.scope.owner == owner and is_private:
                content.is_findable = False
        for life in self.lives:
            if life.scope.owner == owner:
                life.scope = CacheScope("", life.scope.num_shared_prefix_tokens)

    @invariant()
    def every_block_is_held_or_available(self) -> None:
        assert self.blocks.num_available == 8 - len(set(self.holders()))

    def teardown(self) -> None:
        for life in self.lives:
            self.blocks.release(life.table)
        assert self.blocks.num_available == 8
        for owner in ("ann", "bob"):
            self.blocks.forget(owner)
        self.lives.clear()
        everything = self.blocks.reserve(list(range(100, 116)), NOBODY)
        assert everything is not None
        assert sorted(everything.block_ids) == list(range(1, 9))


TestBlockManagerMachine = BlockManagerMachine.TestCase
TestBlockManagerMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
