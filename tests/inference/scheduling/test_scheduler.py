"""Which step comes next. The driver stands in for model and thread: each step's tokens are known at once."""

import pytest

from bot.errors import EngineOverloaded
from bot.inference.engine import FairnessKey, Request, SamplingParams
from bot.inference.scheduling.batch import Batch
from bot.inference.scheduling.block_manager import BlockManager, CacheScope
from bot.inference.scheduling.scheduler import Scheduler, SchedulerLimits
from bot.inference.scheduling.sequence import Sequence
from bot.inference.scheduling.step import DecodeStep, PrefillStep

BLOCK_SIZE = 4


class Driver:
    """A scheduler, and what came of its steps."""

    def __init__(
        self, *, num_blocks: int = 1000, slots: int = 8, prefill: int = 64, limits: SchedulerLimits | None = None
    ) -> None:
        self.blocks = BlockManager(num_blocks + 1, BLOCK_SIZE)
        self.scheduler = Scheduler(
            self.blocks,
            max_num_sequences=slots,
            max_prefill_tokens=prefill,
            limits=limits or SchedulerLimits(max_chunk_tokens=16, max_burst_tokens=128),
        )

    def add(self, num_tokens: int, *, new: int = 100, owner: str = "", guild: str = "", priority: int = 0) -> Sequence:
        request = Request(
            tuple(range(num_tokens)),
            SamplingParams(max_new_tokens=new),
            owner,
            fairness=FairnessKey(guild),
            priority=priority,
        )
        max_tokens = min(num_tokens + new, self.blocks.num_blocks * BLOCK_SIZE)
        sequence = Sequence(0, request, max_tokens, submitted_at=0.0, scope=CacheScope(owner))
        self.scheduler.add(sequence)
        return sequence

    def step(self) -> Batch | None:
        """One step, its tokens read back at once; what has all its tokens leaves."""
        batch = self.scheduler.schedule()
        if batch is None:
            return None
        self.scheduler.launched(batch)
        for sequence in batch.sequences:
            if sequence.num_pending:
                sequence.num_pending = 0
                sequence.append(7, now=0.0)
                if len(sequence.token_ids) == sequence.max_tokens:
                    self.scheduler.finish(sequence)
        return batch

    def steps(self, num_steps: int) -> list[str]:
        """Steps in short: `p` or `d` and the number of tokens."""
        return [shorthand(self.step()) for _ in range(num_steps)]

    def run(self) -> list[str]:
        steps = []
        while self.scheduler.has_work:
            steps.append(shorthand(self.step()))
        return steps


def shorthand(batch: Batch | None) -> str:
    if batch is None:
        return "-"
    if isinstance(batch.step, PrefillStep):
        return f"p{sum(len(chunk.token_ids) for chunk in batch.step.chunks)}"
    return f"d{len(batch.step.rows)}"


def test_nothing_to_do_is_no_step() -> None:
    driver = Driver()

    assert driver.step() is None
    assert not driver.scheduler.has_work


def test_short_prompts_are_packed_into_one_pass() -> None:
    driver = Driver()
    for _ in range(3):
        driver.add(20)

    assert driver.steps(2) == ["p60", "d3"]


def test_long_prompt_is_cut_into_passes() -> None:
    driver = Driver()
    driver.add(150, new=2)

    assert driver.run() == ["p64", "p64", "p22", "d1"]


def test_chunks_are_small_and_alternate_with_tokens_while_an_answer_runs() -> None:
    driver = Driver()
    driver.add(4)
    driver.steps(2)
    driver.add(40)

    assert driver.steps(7) == ["p16", "d1", "p16", "d1", "p8", "d2", "d2"]


def test_several_prompts_share_a_small_chunk() -> None:
    driver = Driver()
    driver.add(4)
    driver.steps(2)
    for _ in range(4):
        driver.add(6)

    first, second = driver.step(), driver.step()

    assert first is not None
    assert isinstance(first.step, PrefillStep)
    assert [len(chunk.token_ids) for chunk in first.step.chunks] == [6, 6, 4]
    assert shorthand(second) == "d3"


def test_large_passes_are_about_even_and_multiples_of_128() -> None:
    driver = Driver(prefill=1024)
    driver.add(1100)

    steps = driver.steps(2)

    assert steps == ["p640", "p460"]


def test_prompts_that_arrive_during_a_burst_join_it() -> None:
    driver = Driver()
    driver.add(20)
    steps = driver.steps(1)
    driver.add(30)
    driver.add(30)

    steps += driver.steps(2)

    assert steps == ["p20", "p60", "d3"]


def test_burst_ends_after_its_share_though_prompts_keep_coming() -> None:
    driver = Driver()
    steps = []
    for _ in range(5):
        driver.add(60)
        steps += driver.steps(1)

    assert steps[:3] == ["p60", "p60", "p60"]  # the 128 tokens of a burst are not quite used up after two prompts
    assert steps[3:] == ["d3", "p16"]


def test_next_token_is_not_launched_for_what_ends_by_length() -> None:
    driver = Driver()
    driver.add(4, new=1)
    batch = driver.scheduler.schedule()
    assert batch is not None
    driver.scheduler.launched(batch)

    assert driver.scheduler.schedule() is None


def test_running_answers_keep_room_to_grow_when_another_is_admitted() -> None:
    driver = Driver(num_blocks=10)
    driver.add(16)
    driver.steps(1)
    driver.add(20)  # five of the six blocks that are left, but two are to be spare

    driver.steps(1)

    assert len(driver.scheduler.running) == 1
    assert driver.scheduler.num_waiting == 1


def test_newest_gives_its_blocks_back_when_they_run_out() -> None:
    driver = Driver(num_blocks=12)
    oldest, newest = driver.add(16), driver.add(16)

    while not driver.scheduler.num_preemptions:
        driver.step()

    assert oldest.is_running
    assert not newest.is_running
    assert driver.scheduler.preempted == [newest]


def test_preempted_sequence_is_computed_again_with_what_it_had_generated() -> None:
    driver = Driver(num_blocks=12)
    oldest, newest = driver.add(16, new=20), driver.add(16, new=20)
    while not driver.scheduler.num_preemptions:
        driver.step()
    num_known = len(newest.token_ids)

    while not newest.is_running:
        driver.step()

    assert oldest.is_finished
    assert newest.num_prefill_tokens == num_known > 16
    driver.run()
    assert len(newest.token_ids) == 36


def test_preempted_sequence_reuses_what_is_left_of_its_blocks() -> None:
    driver = Driver(num_blocks=12)
    driver.add(16, new=20)
    newest = driver.add(16, new=20, owner="ann")
    while not driver.scheduler.num_preemptions:
        driver.step()

    while not newest.is_running:
        driver.step()

    assert newest.num_confirmed > 0


def test_preempted_sequence_goes_before_those_that_never_ran() -> None:
    driver = Driver(num_blocks=12)
    driver.add(16)
    newest = driver.add(16)
    while not driver.scheduler.num_preemptions:
        driver.step()
    late = driver.add(4)

    while not newest.is_running:
        assert not late.is_running
        driver.step()

    driver.run()
    assert late.is_finished


def test_guilds_take_turns_in_being_admitted() -> None:
    driver = Driver(slots=1)
    for _ in range(3):
        driver.add(4, new=1, guild="flood")
    other = driver.add(4, new=1, guild="other")

    driver.run()

    assert other.admission == 2


def test_background_waits_for_everyone() -> None:
    driver = Driver(slots=1)
    background = driver.add(4, new=1, priority=1)
    people = [driver.add(4, new=1) for _ in range(3)]

    driver.run()

    assert [sequence.admission for sequence in people] == [1, 2, 3]
    assert background.admission == 4


def test_running_background_gives_way_to_people() -> None:
    driver = Driver(slots=1)
    background = driver.add(4, new=10, priority=1)
    driver.steps(3)
    person = driver.add(4, new=10)

    driver.step()

    assert person.is_running
    assert not background.is_running
    driver.run()
    assert len(background.token_ids) == 14


def test_background_is_preempted_before_newer_people() -> None:
    driver = Driver(num_blocks=12)
    background = driver.add(16, priority=1)
    driver.step()
    person = driver.add(16)

    while not driver.scheduler.num_preemptions:
        driver.step()

    assert person.is_running
    assert not background.is_running
    assert driver.step() is not None


def test_queue_is_bounded() -> None:
    driver = Driver(slots=2, limits=SchedulerLimits(max_waiting=3))
    for _ in range(5):
        driver.add(4)

    with pytest.raises(EngineOverloaded):
        driver.add(4)


def test_follow_up_prefills_only_what_is_new() -> None:
    driver = Driver()
    first = driver.add(30, new=10, owner="ann")
    driver.run()
    follow_up = driver.add(60, owner="ann")

    batch = driver.step()

    assert first.num_cached_tokens == 0
    assert follow_up.num_cached_tokens == 28  # the answers differ from the follow-up's tokens, the prompts don't
    assert shorthand(batch) == "p32"


def test_what_is_forgotten_while_it_runs_leaves_nothing_behind() -> None:
    driver = Driver()
    running = driver.add(30, new=5, owner="ann")
    driver.steps(2)

    driver.scheduler.forget("ann")
    driver.run()

    assert running.is_finished
    assert driver.blocks.num_cached == 0


def test_waiting_requests_of_a_forgotten_owner_leave_nothing_behind() -> None:
    driver = Driver(slots=1)
    driver.add(8, new=3)
    driver.step()
    waiting = driver.add(30, new=5, owner="ann")

    driver.scheduler.forget("ann")
    driver.run()

    assert waiting.is_finished
    assert driver.blocks.num_cached == 0


def test_sequence_can_be_taken_out_wherever_it_is() -> None:
    driver = Driver(num_blocks=12, slots=2)
    running, preempted = driver.add(16), driver.add(16)
    while not driver.scheduler.num_preemptions:
        driver.step()
    waiting = driver.add(4)

    for sequence in (waiting, preempted, running):
        driver.scheduler.finish(sequence)

    assert not driver.scheduler.has_work
    assert driver.blocks.num_available == 12


def test_suspect_runs_alone_until_it_is_cleared() -> None:
    driver = Driver()
    suspect = driver.add(10)
    for _ in range(2):
        driver.add(10)
    driver.steps(2)
    driver.scheduler.restart(suspect)

    prefill, decode, together = driver.step(), driver.step(), None
    suspect.is_suspect = False
    together = driver.step()

    assert prefill is not None
    assert prefill.sequences == (suspect,)
    assert decode is not None
    assert isinstance(decode.step, DecodeStep)
    assert decode.sequences == (suspect,)
    assert shorthand(together) == "d3"
