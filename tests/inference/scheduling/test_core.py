"""The engine's heart on the echo model: right answers whatever happens, and nothing left behind."""

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import EngineFailed, EngineOverloaded, PromptTooLong, RequestFailed, WaitedTooLong
from bot.inference.engine import FinishReason, Request, SamplingParams
from bot.inference.scheduling.core import EngineCore, Output
from bot.inference.scheduling.scheduler import SchedulerLimits
from bot.inference.scheduling.step import DecodeStep, PrefillStep, Step
from tests.inference.fakes import EOS, FIRST_TOKEN, SPOILERS, VOCABULARY_SIZE, EchoRunner, Trigger, echo


def ask(*prompt: int, new: int = 10, owner: str = "", shared: int = 0, penalty: float = 1.0) -> Request:
    return Request(prompt, SamplingParams(max_new_tokens=new, repetition_penalty=penalty), owner, shared)


def words(num_tokens: int, seed: float = 0) -> tuple[int, ...]:
    rng = random.Random(seed)
    return tuple(rng.randrange(FIRST_TOKEN, VOCABULARY_SIZE) for _ in range(num_tokens))


class Driver:
    """A core, and everything that came out of it, by request."""

    def __init__(self, runner: EchoRunner | None = None, *, limits: SchedulerLimits | None = None) -> None:
        self.now = 100.0
        self.runner = runner or EchoRunner()
        self.core = EngineCore(self.runner, limits=limits, clock=lambda: self.now)
        self.requests: dict[int, Request] = {}
        self.outputs: dict[int, list[Output]] = defaultdict(list)

    def submit(self, request: Request) -> int:
        request_id = len(self.requests)
        self.requests[request_id] = request
        self.core.submit(request_id, request)
        return request_id

    def step(self) -> None:
        for output in self.core.step():
            self.outputs[output.request_id].append(output)

    def run(self) -> "Driver":
        for _ in range(200_000):
            if not self.core.has_work:
                return self
            self.step()
        raise AssertionError("the engine does not come to an end")

    def answer(self, request: Request) -> list[int]:
        request_id = self.submit(request)
        self.run()
        return self.token_ids(request_id)

    def token_ids(self, request_id: int) -> list[int]:
        return [token for output in self.outputs[request_id] for token in output.token_ids]

    def right(self, request_id: int) -> list[int]:
        return echo(
            self.requests[request_id],
            max_sequence_tokens=self.core.max_sequence_tokens,
            has_eos=self.runner.has_eos,
        )

    def has_failed(self, request_id: int) -> bool:
        outputs = self.outputs[request_id]
        return bool(outputs) and isinstance(outputs[-1].error, RequestFailed)

    def check(self, *, aborted: frozenset[int] | set[int] = frozenset(), failed: set[int] | None = None) -> None:
        """Every request has its own right answer, or the end that it was meant to have; nothing is left."""
        failed = failed or set()
        for request_id in self.requests:
            got, right = self.token_ids(request_id), self.right(request_id)
            ends = [output for output in self.outputs[request_id] if output.finish_reason or output.error]
            assert ends in ([], self.outputs[request_id][-1:])
            if request_id in aborted:
                assert got == right[: len(got)]
            elif request_id in failed:
                assert self.has_failed(request_id)
                assert got == right[: len(got)]
            else:
                assert got == right
                assert len(ends) == 1
        snapshot = self.core.snapshot()
        assert self.runner.violations == []
        assert (snapshot.num_running, snapshot.num_waiting) == (0, 0)
        assert snapshot.num_available_blocks == snapshot.num_blocks


# Plain answers


def test_answers_are_right_alone_and_together() -> None:
    driver = Driver()
    for seed in range(20):
        driver.submit(ask(*words(1 + 5 * (seed % 7), seed), new=1 + seed))

    driver.run().check()


def test_end_of_text_ends_the_answer_and_the_token_launched_after_it_is_dropped() -> None:
    request = next(one for one in (ask(*words(5, seed), new=60) for seed in range(99)) if echo(one)[-1] == EOS)
    driver = Driver()

    driver.answer(request)

    driver.check()
    assert driver.outputs[0][-1].finish_reason is FinishReason.STOP
    num_decoded = sum(isinstance(step, DecodeStep) for step in driver.runner.steps)
    assert num_decoded == len(echo(request))  # one more than was needed


def test_nothing_is_launched_beyond_max_new_tokens() -> None:
    driver = Driver(EchoRunner(has_eos=False))

    driver.answer(ask(*words(5), new=7))

    driver.check()
    assert driver.outputs[0][-1].finish_reason is FinishReason.LENGTH
    assert len(driver.runner.steps) == 7


def test_lone_conversation_runs_to_the_end_of_the_pool() -> None:
    driver = Driver(EchoRunner(num_blocks=11, context_window=500, has_eos=False))

    driver.answer(ask(*words(20), new=500))

    driver.check()
    assert driver.core.max_sequence_tokens == 40
    assert len(driver.token_ids(0)) == 20


def test_lone_conversation_runs_to_the_end_of_the_context_window() -> None:
    driver = Driver(EchoRunner(context_window=50, has_eos=False))

    driver.answer(ask(*words(20), new=500))

    driver.check()
    assert len(driver.token_ids(0)) == 30


def test_prompt_without_room_for_a_token_is_refused() -> None:
    driver = Driver(EchoRunner(context_window=50))

    with pytest.raises(PromptTooLong):
        driver.submit(ask(*words(50)))


@pytest.mark.parametrize("request_", [ask(), ask(30, new=0)])
def test_request_without_prompt_or_answer_is_a_mistake(request_: Request) -> None:
    with pytest.raises(ValueError, match=r"empty|at least 1"):
        Driver().submit(request_)


def test_full_queue_refuses_and_goes_on() -> None:
    driver = Driver(EchoRunner(max_num_sequences=2), limits=SchedulerLimits(max_waiting=2))
    for seed in range(4):
        driver.submit(ask(*words(5, seed)))

    with pytest.raises(EngineOverloaded):
        driver.core.submit(99, ask(30))

    driver.run().check()


def test_preempted_answers_are_right() -> None:
    driver = Driver(EchoRunner(num_blocks=16, has_eos=False))
    for seed in range(8):
        driver.submit(ask(*words(10, seed), new=40, penalty=1.1))

    driver.run().check()

    assert driver.core.snapshot().total_preemptions > 0


def test_running_answer_waits_for_at_most_one_small_chunk() -> None:
    runner = EchoRunner(num_blocks=401, max_num_sequences=16, has_eos=False)
    driver = Driver(runner, limits=SchedulerLimits(max_chunk_tokens=8))
    rng = random.Random(1)
    num_prefilled, last_seen, waits = 0, dict[int, int](), list[int]()
    while len(driver.requests) < 100 or driver.core.has_work:
        if len(driver.requests) < 100 and rng.random() < 0.2:
            driver.submit(ask(*words(rng.randrange(1, 60), rng.random()), new=rng.randrange(2, 30)))
        for output in driver.core.step():  # what it brought was launched a step ago
            waits.append(num_prefilled - last_seen.get(output.request_id, num_prefilled))
            last_seen[output.request_id] = num_prefilled
        if runner.steps and isinstance(runner.steps[-1], PrefillStep):
            num_prefilled += sum(len(chunk.token_ids) for chunk in runner.steps[-1].chunks)
            runner.steps.clear()

    assert num_prefilled > 1000
    assert max(waits) == 8


def test_first_tokens_of_a_burst_are_handed_out_when_the_answers_can_go_on() -> None:
    driver = Driver(EchoRunner(has_eos=False))
    early = driver.submit(ask(*words(60)))
    driver.step()
    driver.submit(ask(*words(60, 1)))

    driver.step()
    driver.step()

    assert isinstance(driver.runner.steps[-1], DecodeStep)
    assert len(driver.token_ids(early)) == 1
    driver.run().check()


# Leaving


def test_last_token_of_an_old_answer_is_not_held_back_by_a_burst() -> None:
    driver = Driver(EchoRunner(has_eos=False))
    old = driver.submit(ask(*words(6), new=3))
    for _ in range(3):
        driver.step()
    driver.submit(ask(*words(60)))

    driver.step()

    assert driver.core.scheduler.is_bursting
    assert driver.outputs[old][-1].finish_reason is FinishReason.LENGTH
    driver.run().check()


def test_aborted_request_gives_everything_back_at_once() -> None:
    driver = Driver(EchoRunner(has_eos=False))
    leaving, staying = driver.submit(ask(*words(20), new=100)), driver.submit(ask(*words(20, 1), new=20))
    for _ in range(5):
        driver.step()

    driver.core.abort(leaving)
    driver.step()

    assert all(len(step.rows) == 1 for step in driver.runner.steps[-1:] if isinstance(step, DecodeStep))
    driver.run().check(aborted={leaving})
    assert driver.token_ids(staying) == driver.right(staying)
    assert driver.core.snapshot().total_aborted == 1


def test_abort_of_a_finished_or_unknown_request_is_no_mistake() -> None:
    driver = Driver()
    driver.answer(ask(30))

    driver.core.abort(0)
    driver.core.abort(12345)

    driver.check()


@pytest.mark.parametrize("num_steps", range(8))
def test_request_can_be_aborted_after_any_step(num_steps: int) -> None:
    driver = Driver(EchoRunner(num_blocks=21, max_prefill_tokens=8))
    leaving = driver.submit(ask(*words(20), owner="ann", new=5))
    driver.submit(ask(*words(20, 1), owner="bob", new=5))
    for _ in range(num_steps):
        driver.step()

    driver.core.abort(leaving)
    driver.submit(ask(*words(20), owner="ann", new=5))

    driver.run().check(aborted={leaving})


# Failures


@pytest.mark.parametrize("trigger", SPOILERS)
@pytest.mark.parametrize("guilty", [0, 2, 4])
def test_only_the_guilty_request_fails(trigger: Trigger, guilty: int) -> None:
    driver = Driver(EchoRunner(has_eos=False))
    for index in range(5):
        driver.submit(ask(*words(6, index), *([trigger] if index == guilty else []), *words(3), new=9))

    driver.run().check(failed={guilty})

    driver.answer(ask(*words(7)))
    driver.check(failed={guilty})


@pytest.mark.parametrize("trigger", SPOILERS)
def test_twenty_failures_in_a_row_stay_where_they_are(trigger: Trigger) -> None:
    driver = Driver(EchoRunner(has_eos=False))
    neighbour = driver.submit(ask(*words(6), new=150))

    for index in range(20):
        driver.submit(ask(*words(6, index), trigger, new=9))
        for _ in range(4):
            driver.step()

    driver.run().check(failed=set(range(1, 21)))
    assert len(driver.token_ids(neighbour)) == 150


@pytest.mark.parametrize("trigger", SPOILERS)
def test_failure_in_one_step_spares_those_that_were_preempted_by_it(trigger: Trigger) -> None:
    driver = Driver(EchoRunner(num_blocks=16, has_eos=False))
    for index in range(8):
        driver.submit(ask(*words(8, index), *([trigger] if index == 3 else []), new=40))

    driver.run().check(failed={3})


def test_blocks_of_a_failed_request_are_not_reused() -> None:
    driver = Driver()
    driver.answer(ask(*words(20), Trigger.NOT_FINITE, *words(20, 1), owner="ann"))
    computed = driver.runner.num_tokens_computed

    driver.answer(ask(*words(20), *words(20, 1), owner="ann", new=1))

    assert driver.runner.num_tokens_computed - computed == 40
    driver.check(failed={0})


def test_cached_blocks_that_a_failed_request_used_are_not_reused() -> None:
    driver = Driver()
    driver.answer(ask(*words(20), owner="ann"))
    driver.answer(ask(*words(20), Trigger.NOT_FINITE, owner="ann"))

    driver.answer(ask(*words(20), owner="ann"))

    cached = [outputs[-1].counters and outputs[-1].counters.num_cached_tokens for outputs in driver.outputs.values()]
    assert cached == [0, None, 0]
    driver.check(failed={1})


def test_answers_run_together_again_after_a_failed_step() -> None:
    driver = Driver(EchoRunner(has_eos=False))
    for index in range(5):
        driver.submit(ask(*words(6, index), *([Trigger.COLLECT_ERROR] if index == 2 else []), new=30))

    driver.run().check(failed={2})

    sizes = [len(step.rows) for step in driver.runner.steps if isinstance(step, DecodeStep)]
    assert sizes.count(4) >= 20


def test_step_refused_while_the_one_before_it_fails_spoils_nobodys_answer() -> None:
    class Flaky(EchoRunner):
        def launch(self, step: Step):  # type: ignore[no-untyped-def]
            is_together = isinstance(step, DecodeStep) and len(step.rows) == 4
            if is_together and len(self.steps) == 4:
                raise ValueError("refused")
            pending = super().launch(step)
            if is_together and len(self.steps) == 4:
                pending.error = ValueError("failed")  # type: ignore[attr-defined]
            return pending

    driver = Driver(Flaky(has_eos=False))
    for index in range(4):
        driver.submit(ask(*words(6, index)))

    driver.run().check()


def test_prefill_too_large_for_the_memory_is_cut_up() -> None:
    driver = Driver(
        EchoRunner(
            max_prefill_tokens=1024, max_step_tokens=200, context_window=2000, num_blocks=400, max_num_sequences=4
        )
    )
    for index in range(3):
        driver.submit(ask(*words(500, index), new=5))

    driver.run().check()


def test_lost_device_is_lost_for_everyone() -> None:
    driver = Driver()
    driver.submit(ask(*words(6), Trigger.STICKY))

    with pytest.raises(EngineFailed):
        driver.run()


def test_device_lost_at_read_back_is_lost_for_everyone() -> None:
    driver = Driver()
    driver.submit(ask(*words(6), Trigger.STICKY_AT_COLLECT))

    with pytest.raises(EngineFailed):
        driver.run()


def test_runner_that_mixes_up_its_slots_spoils_nobodys_answer() -> None:
    class MixedUp(EchoRunner):
        def launch(self, step: Step):  # type: ignore[no-untyped-def]
            pending = super().launch(step)
            if len(self.steps) == 3 and hasattr(pending, "tokens"):
                pending.tokens.reverse()
            return pending

    driver = Driver(MixedUp(has_eos=False))
    for index in range(4):
        driver.submit(ask(*words(6, index)))

    driver.run().check()


# Reuse


def test_next_turn_prefills_only_what_is_new() -> None:
    driver = Driver(EchoRunner(has_eos=False))
    prompt = words(30)
    answer = driver.answer(ask(*prompt, owner="ann", new=12))
    computed = driver.runner.num_tokens_computed

    driver.answer(ask(*prompt, *answer, *words(9, 1), owner="ann", new=1))

    driver.check()
    counters = driver.outputs[1][-1].counters
    assert counters is not None
    assert counters.num_cached_tokens == 40  # ten blocks of the 41 tokens whose keys and values were computed
    assert driver.runner.num_tokens_computed - computed == 51 - 40


def test_running_conversation_lends_its_prompt_to_the_same_owner() -> None:
    driver = Driver(EchoRunner(has_eos=False))
    driver.submit(ask(*words(20), owner="ann", new=50))
    for _ in range(4):
        driver.step()
    second = driver.submit(ask(*words(20), *words(5, 1), owner="ann", new=3))

    driver.run().check()

    counters = driver.outputs[second][-1].counters
    assert counters is not None
    assert counters.num_cached_tokens == 20


def test_owners_share_the_shared_prefix_and_nothing_else() -> None:
    driver = Driver()
    driver.answer(ask(*words(20), owner="ann", shared=8))

    driver.answer(ask(*words(20), owner="bob", shared=8))

    counters = driver.outputs[1][-1].counters
    assert counters is not None
    assert counters.num_cached_tokens == 8
    driver.check()


def test_forgotten_owner_starts_from_nothing() -> None:
    driver = Driver()
    driver.answer(ask(*words(20), owner="ann"))

    driver.core.forget("ann")
    driver.answer(ask(*words(20), owner="ann"))

    counters = driver.outputs[1][-1].counters
    assert counters is not None
    assert counters.num_cached_tokens == 0
    assert driver.token_ids(0) == driver.token_ids(1)


@pytest.mark.parametrize("num_steps", range(12))
def test_forget_during_an_answer_forgets_that_answer_too(num_steps: int) -> None:
    driver = Driver(EchoRunner(has_eos=False))
    driver.submit(ask(*words(20), owner="ann", new=10))
    for _ in range(num_steps):
        driver.step()

    driver.core.forget("ann")
    driver.run()

    driver.answer(ask(*words(20), owner="ann"))
    counters = driver.outputs[1][-1].counters
    assert counters is not None
    assert counters.num_cached_tokens == 0
    driver.check()


conversations = st.lists(
    st.tuples(st.sampled_from(["ann", "bob"]), st.integers(0, 3), st.integers(1, 30), st.integers(1, 12)),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(conversations)
def test_answers_with_reuse_equal_those_without(turns: list[tuple[str, int, int, int]]) -> None:
    reusing, plain = Driver(EchoRunner(num_blocks=41)), Driver(EchoRunner(num_blocks=41))
    histories: dict[str, tuple[int, ...]] = {"ann": words(9), "bob": words(9)}
    for owner, seed, num_tokens, new in turns:
        prompt = (*histories[owner], *words(num_tokens, seed))[:100]
        answer = reusing.answer(ask(*prompt, owner=owner, shared=9, new=new))
        assert answer == plain.answer(ask(*prompt, new=new))
        histories[owner] = (*prompt, *answer)

    reusing.check()


# Counters


def test_counters_say_what_a_request_cost() -> None:
    driver = Driver(EchoRunner(max_num_sequences=1, has_eos=False))
    driver.submit(ask(*words(6), new=1))
    waiting = driver.submit(ask(*words(7), new=3))
    tick: Callable[[], None] = driver.step
    while driver.core.has_work:
        driver.now += 1.0
        tick()

    counters = driver.outputs[waiting][-1].counters
    assert counters is not None
    assert (counters.num_prompt_tokens, counters.num_cached_tokens, counters.num_new_tokens) == (7, 0, 3)
    assert counters.queued_seconds == 3.0
    assert counters.first_token_seconds == 4.0
    assert counters.total_seconds == 6.0


def test_what_runs_is_told_before_the_step_that_runs_it_and_what_waits_is_not() -> None:
    reported: list[tuple[str, ...]] = []
    driver = Driver(EchoRunner(max_num_sequences=2, has_eos=False))
    driver.core = EngineCore(driver.runner, clock=lambda: driver.now, on_running=reported.append)
    launched_at: list[int] = []
    launch = driver.runner.launch

    def noted(step: Step) -> object:
        launched_at.append(len(reported))
        return launch(step)

    driver.runner.launch = noted
    for number, name in enumerate("abc"):
        driver.submit(replace(ask(*words(6, number), new=3 + number), name=name))
    aborted = driver.submit(replace(ask(*words(6, 9), new=50), name="d"))
    driver.step()
    assert (reported, launched_at) == ([("a", "b")], [1])
    while not any("d" in names for names in reported):
        driver.step()
    driver.core.abort(aborted)
    driver.run()

    assert reported[-1] == ()
    assert all(len(names) <= 2 for names in reported)
    assert {name for names in reported for name in names} == {"a", "b", "c", "d"}


def test_who_is_not_begun_in_time_is_dropped_and_what_was_begun_is_finished() -> None:
    driver = Driver(EchoRunner(max_num_sequences=1, has_eos=False))
    impatient = [replace(ask(*words(6, seed), new=4), max_queued_seconds=120.0) for seed in range(3)]
    begun, dropped, late = driver.submit(impatient[0]), driver.submit(impatient[1]), 2
    patient = replace(impatient[2], max_queued_seconds=None)

    driver.step()
    driver.now += 60
    assert driver.submit(patient) == late
    driver.now += 61
    driver.run()

    assert isinstance(driver.outputs[dropped][-1].error, WaitedTooLong)
    assert driver.token_ids(dropped) == []
    assert [driver.token_ids(served) for served in (begun, late)] == [driver.right(begun), driver.right(late)]
    assert driver.core.snapshot().num_waiting == 0


def test_snapshot_counts_what_went_through() -> None:
    driver = Driver(EchoRunner(has_eos=False))
    for seed in range(3):
        driver.submit(ask(*words(6, seed), new=4))

    driver.step()
    during = driver.core.snapshot()
    driver.run()
    after = driver.core.snapshot()

    assert (during.num_running, during.total_requests) == (3, 3)
    assert (after.total_prompt_tokens, after.total_new_tokens, after.total_failed) == (18, 12, 0)
    assert any(isinstance(step, PrefillStep) for step in driver.runner.steps)
