import asyncio
from dataclasses import dataclass, field, replace

import pytest

from bot.delivery.limits import ClosedChannels, Urgency
from bot.delivery.refusals import MessageGone, NoAccess, Rejected, TokenRefused, Unclear, Unreachable, Unreadable
from bot.delivery.sender import GIVE_UP_SECONDS, NONCE_WINDOW_SECONDS, TRIES_OF_UNCLEAR, open_sender
from bot.delivery.transport import Draft, DraftKey, Posted
from bot.observer import Observers
from tests.discord.virtual_time import in_virtual_time, now


@dataclass
class Transport:
    """A channel that does what a test says: each request takes the next fault, if there is one."""

    faults: list[Exception | None] = field(default_factory=list)
    is_created_before_fault: bool = False
    messages: list[Posted] = field(default_factory=list)
    calls: list[tuple[float, str]] = field(default_factory=list)
    nonces: dict[DraftKey, tuple[float, Posted]] = field(default_factory=dict)
    seconds: float = 0.0
    num_finished: int = 0
    muted_until: float = 0.0
    muted_from: float = 0.0

    def language_of(self, channel_id):
        return "en-US"

    def muted_seconds(self, channel_id):
        return max(self.muted_until - now(), 0.0) if now() >= self.muted_from else 0.0

    async def create(self, draft):
        self.calls.append((now(), "create"))
        await asyncio.sleep(self.seconds)
        fault = self.faults.pop(0) if self.faults else None
        if fault is None or self.is_created_before_fault:
            posted = self._post(draft)
        if fault is not None:
            raise fault
        self.num_finished += 1
        return posted

    def _post(self, draft):
        at, known = self.nonces.get(draft.key, (-1e9, None))
        if now() - at < 180:
            return known
        posted = Posted(len(self.messages) + 100, draft.content, draft.reply_to)
        self.messages.append(posted)
        self.nonces[draft.key] = (now(), posted)
        return posted

    async def edit(self, channel_id, message_id, content, buttons):
        self.calls.append((now(), "edit"))
        if self.faults and (fault := self.faults.pop(0)):
            raise fault
        self.messages.append(Posted(message_id, content))

    async def delete(self, channel_id, message_id):
        self.calls.append((now(), "delete"))

    async def show_typing(self, channel_id):
        self.calls.append((now(), "typing"))

    async def own_messages(self, channel_id, after):
        self.calls.append((now(), "search"))
        return [posted for posted in self.messages if posted.message_id > after]


DRAFT = Draft(channel_id=1, guild_id=2, content="hello", key=DraftKey(10, "answer"), after=10, reply_to=10)


async def keep_nothing(posted):
    """For tests that look at the transport."""


def test_a_create_that_failed_is_repeated_with_the_same_nonce():
    async def scenario():
        transport = Transport([Unreachable("reset"), Unreachable("503")], is_created_before_fault=True)
        async with open_sender(transport) as sender:
            posted = await sender.create(DRAFT, keep_nothing)
        return transport, posted

    transport, posted = in_virtual_time(scenario())

    assert transport.messages == [posted]
    assert [name for _, name in transport.calls] == ["create"] * 3


def test_each_try_is_told_with_its_kind_and_what_became_of_it():
    class Noted(Observers):
        def on_request(self, record):
            records.append(record)

    async def scenario():
        transport = Transport([Unreachable("reset"), None], seconds=0.5)
        async with open_sender(transport, observer=Noted()) as sender:
            await sender.create(DRAFT, keep_nothing)
            await sender.show_typing(1)

    records = []
    in_virtual_time(scenario())

    assert [(record.kind, record.seconds, record.error) for record in records] == [
        ("create", 0.5, "Unreachable"),
        ("create", 0.5, ""),
        ("typing", 0.0, ""),
    ]


def test_after_the_nonce_window_the_channel_is_searched_first():
    async def scenario():
        transport = Transport([Unreachable("reset")] * 12, is_created_before_fault=True)
        kept = []

        async def keep(posted):
            kept.append(posted)

        async with open_sender(transport) as sender:
            await sender.create(DRAFT, keep)
        return transport, kept

    transport, kept = in_virtual_time(scenario())

    assert kept == transport.messages[:1]
    assert len(transport.messages) == 1
    late = [name for at, name in transport.calls if at > NONCE_WINDOW_SECONDS]
    assert late == ["search"]


def test_a_message_that_is_not_found_after_the_window_is_created():
    async def scenario():
        transport = Transport([Unreachable("503")] * 12)
        async with open_sender(transport) as sender:
            await sender.create(DRAFT, keep_nothing)
        return transport

    transport = in_virtual_time(scenario())

    assert len(transport.messages) == 1
    assert [name for _, name in transport.calls][-2:] in (["search", "create"], ["create", "create"])
    assert "search" in [name for _, name in transport.calls]


def test_an_outage_is_waited_out_for_a_quarter_of_an_hour():
    async def scenario():
        transport = Transport([Unreachable("503")] * 10_000)
        async with open_sender(transport) as sender:
            with pytest.raises(Unreachable):
                await sender.edit(1, 2, lambda: "text")
        return transport

    transport = in_virtual_time(scenario())

    assert GIVE_UP_SECONDS - 120 < transport.calls[-1][0] < GIVE_UP_SECONDS + 60
    assert len(transport.calls) < 100


def test_an_edit_takes_the_latest_text_when_it_may_leave():
    async def scenario():
        transport, text = Transport([Unreachable("503")]), ["one"]
        async with open_sender(transport) as sender:
            editing = asyncio.ensure_future(sender.edit(1, 2, lambda: text[0]))
            await asyncio.sleep(0.1)
            text[0] = "two"
            return await editing, transport.messages

    shown, messages = in_virtual_time(scenario())

    assert shown == "two"
    assert messages == [Posted(2, "two")]


def test_a_channel_that_refuses_is_not_asked_again():
    async def scenario():
        transport = Transport([NoAccess("403")])
        async with open_sender(transport) as sender:
            for _ in range(5):
                with pytest.raises(NoAccess):
                    await sender.create(DRAFT, keep_nothing)
            await sender.show_typing(1)
        return transport

    assert [name for _, name in in_virtual_time(scenario()).calls] == ["create"]


def test_a_deleted_message_is_not_tried_again_and_its_channel_stays_open():
    async def scenario():
        transport = Transport([MessageGone("404")])
        async with open_sender(transport) as sender:
            with pytest.raises(MessageGone):
                await sender.create(DRAFT, keep_nothing)
            await sender.edit(1, 2, lambda: "text")
        return transport

    assert [name for _, name in in_virtual_time(scenario()).calls] == ["create", "edit"]


def test_a_create_goes_on_and_is_kept_when_nobody_waits_for_it_any_more():
    async def scenario():
        transport, kept = Transport(seconds=1.0), []

        async def keep(posted):
            kept.append(posted)

        async with open_sender(transport) as sender:
            creating = asyncio.ensure_future(sender.create(DRAFT, keep))
            await asyncio.sleep(0.5)
            creating.cancel()
            await asyncio.wait([creating])
            await asyncio.sleep(1)
        return creating.cancelled(), kept

    was_cancelled, kept = in_virtual_time(scenario())

    assert was_cancelled
    assert [posted.content for posted in kept] == ["hello"]


def test_leaving_waits_a_moment_for_what_is_under_way_and_not_for_ever():
    async def scenario(seconds):
        transport = Transport(seconds=seconds)
        async with open_sender(transport) as sender:
            creating = asyncio.ensure_future(sender.create(DRAFT, keep_nothing))
            await asyncio.sleep(0.5)
            creating.cancel()
        await asyncio.wait([creating])
        return transport.num_finished, now()

    assert in_virtual_time(scenario(1.0)) == (1, 1.0)
    num_finished, ended_at = in_virtual_time(scenario(3600.0))
    assert num_finished == 0
    assert ended_at < 5


def test_sixty_four_answers_at_once_stay_below_fifty_requests_a_second():
    async def scenario():
        transport = Transport()

        async def answer(channel_id, sender):
            with sender.streaming():
                await sender.create(DRAFT, keep_nothing)
                for _ in range(20):
                    await asyncio.sleep(sender.edit_interval_seconds)
                    await sender.edit(channel_id, 1, lambda: "text", Urgency.EDIT)

        async with open_sender(transport) as sender:
            await asyncio.gather(*(answer(channel_id, sender) for channel_id in range(64)))
        return [at for at, _ in transport.calls]

    times = in_virtual_time(scenario())

    assert max(sum(start <= at < start + 1 for at in times) for start in times) <= 42
    assert len(times) == 64 * 21


def test_a_refusal_that_says_nothing_is_tried_a_few_times():
    async def scenario(num_faults):
        transport = Transport([Unclear("403")] * num_faults)
        async with open_sender(transport) as sender:
            try:
                await sender.create(DRAFT, keep_nothing)
            except Rejected:
                return len(transport.calls), "refused"
        return len(transport.calls), "created"

    assert in_virtual_time(scenario(TRIES_OF_UNCLEAR - 1)) == (TRIES_OF_UNCLEAR, "created")
    assert in_virtual_time(scenario(TRIES_OF_UNCLEAR)) == (TRIES_OF_UNCLEAR, "refused")


def test_refusals_that_say_nothing_are_bounded_over_all_channels():
    async def scenario():
        transport = Transport([Unclear("403")] * 10_000)
        async with open_sender(transport) as sender:
            for channel_id in range(300):
                with pytest.raises((Rejected, NoAccess)):
                    await sender.create(replace(DRAFT, channel_id=channel_id), keep_nothing)
        return len(transport.calls)

    assert in_virtual_time(scenario()) <= ClosedChannels.REFUSALS_PER_WINDOW + TRIES_OF_UNCLEAR


@pytest.mark.parametrize("news_after", [0.0, 0.5])
def test_a_mute_is_waited_for_and_its_channel_is_open_when_it_ends(news_after):
    async def scenario():
        transport = Transport([NoAccess("403", code=50013)], muted_until=300.0, muted_from=news_after)
        async with open_sender(transport) as sender:
            await sender.edit(1, 2, lambda: "text")
            await sender.create(DRAFT, keep_nothing)
        return [at for at, _ in transport.calls]

    first, second, third = in_virtual_time(scenario())

    assert 300 < second - first < 310
    assert third - second < 1


def test_what_is_asked_of_a_channel_before_the_news_of_a_mute_comes_waits_for_its_end_too():
    async def scenario():
        refusals = [NoAccess("403", code=50013), NoAccess("403", code=50013)]
        transport = Transport([*refusals], muted_until=300.0, muted_from=0.5)
        async with open_sender(transport) as sender, asyncio.TaskGroup() as tasks:
            tasks.create_task(sender.edit(1, 2, lambda: "text"))
            await asyncio.sleep(0.2)
            tasks.create_task(sender.create(DRAFT, keep_nothing))
        return transport

    transport = in_virtual_time(scenario())

    during, after = transport.calls[:2], transport.calls[2:]
    assert [kind for at, kind in during if at < 1] == ["edit", "create"]
    assert all(at > 300 for at, _ in after)
    assert {posted.content for posted in transport.messages} == {"text", "hello"}


def test_a_mute_of_long_ends_the_answer_and_reopens_the_channel_in_time():
    async def scenario():
        transport = Transport([NoAccess("403", code=50013)], muted_until=3600.0)
        async with open_sender(transport) as sender:
            with pytest.raises(NoAccess):
                await sender.create(DRAFT, keep_nothing)
            closed_at_once = sender.closed_channels.is_closed(1)
            await asyncio.sleep(3590)
            closed_before = sender.closed_channels.is_closed(1)
            await asyncio.sleep(20)
            return closed_at_once, closed_before, sender.closed_channels.is_closed(1)

    assert in_virtual_time(scenario()) == (True, True, False)


def test_who_may_write_nothing_new_may_still_change_what_was_written():
    async def scenario():
        transport = Transport([NoAccess("403", code=50013), None, NoAccess("403", code=50013)])
        async with open_sender(transport) as sender:
            with pytest.raises(NoAccess):
                await sender.create(DRAFT, keep_nothing)
            await sender.edit(1, 2, lambda: "last words")
            is_closed = sender.closed_channels.is_closed(1)
            for _ in range(2):
                with pytest.raises(NoAccess):
                    await sender.edit(1, 2, lambda: "and more")
            return transport, is_closed

    transport, is_closed = in_virtual_time(scenario())

    assert is_closed
    assert transport.messages == [Posted(2, "last words")]
    assert [name for _, name in transport.calls] == ["create", "edit", "edit"]


def test_who_takes_no_direct_messages_is_answered_soon_after_taking_them_again():
    async def scenario():
        transport = Transport([NoAccess("403", code=50007)] * 2)
        async with open_sender(transport) as sender:
            for _ in range(2):
                with pytest.raises(NoAccess):
                    await sender.create(DRAFT, keep_nothing)
                is_closed_at_once = sender.closed_channels.is_closed(1)
                await asyncio.sleep(61)
            return is_closed_at_once, await sender.create(DRAFT, keep_nothing)

    is_closed_at_once, posted = in_virtual_time(scenario())

    assert is_closed_at_once
    assert posted.content == "hello"


def test_a_refusal_to_read_what_was_written_before_closes_no_channel():
    async def refused():
        raise NoAccess("403", code=50013)

    async def scenario():
        async with open_sender(Transport([])) as sender:
            with pytest.raises(NoAccess):
                await sender.read(1, refused)
            return await sender.create(DRAFT, keep_nothing)

    assert in_virtual_time(scenario()).content == "hello"


def test_answers_that_cannot_be_read_are_repeated_and_hold_nobody_up():
    async def scenario():
        transport = Transport([Unreadable("empty")] * 8)
        async with open_sender(transport) as sender:
            await sender.edit(1, 2, lambda: "text")
            return transport, sender.breaker.is_open

    transport, is_open = in_virtual_time(scenario())

    assert transport.messages == [Posted(2, "text")]
    assert not is_open


def test_a_refused_token_holds_everything_back_and_is_reported():
    async def scenario():
        transport = Transport([TokenRefused("401")])
        async with open_sender(transport) as sender:
            editing = asyncio.ensure_future(sender.edit(1, 2, lambda: "text"))
            await asyncio.sleep(0.1)
            seen = sender.token_doubted.is_set(), sender.breaker.is_open
            await editing
        return seen

    assert in_virtual_time(scenario()) == (True, True)


@dataclass
class Overtaking(Transport):
    """The first edit is on its way for long."""

    async def edit(self, channel_id, message_id, content, buttons):
        is_first = not self.calls
        self.calls.append((now(), "edit"))
        await asyncio.sleep(20.0 if is_first else 0.1)
        self.messages.append(Posted(message_id, content))


def test_an_edit_that_nobody_waits_for_any_more_lands_before_the_next_one():
    async def scenario():
        transport = Overtaking()
        async with open_sender(transport) as sender:
            growing = asyncio.create_task(sender.edit(1, 100, lambda: "so far"))
            await asyncio.sleep(1.0)
            growing.cancel()
            await sender.edit(1, 100, lambda: "all of it")
        return [posted.content for posted in transport.messages]

    assert in_virtual_time(scenario()) == ["so far", "all of it"]
