"""The operator's lists: what they say of every kind of visit, and that the unknown never lets anybody in."""

import itertools
from dataclasses import replace

import pytest

from bot.chat.access import Access, AccessList, AccessVerdict, Visit

GUILD, CATEGORY, CHANNEL, THREAD, ROLE, PERSON, OTHER = range(1, 8)

IN_CHANNEL = Visit(PERSON, GUILD, frozenset({CHANNEL, CATEGORY}), role_ids=frozenset({ROLE}))
IN_THREAD = replace(IN_CHANNEL, channel_ids=frozenset({THREAD, CHANNEL, CATEGORY}))
DIRECT = Visit(PERSON, None, frozenset({CHANNEL}))
VISITS = {"channel": IN_CHANNEL, "thread": IN_THREAD, "direct message": DIRECT}

# A list that is empty, that has the visit's id, and that has another one's.
CHOICES = {
    "guilds": ((), (GUILD,), (OTHER,)),
    "channels": ((), (CHANNEL,), (CATEGORY,), (OTHER,)),
    "roles": ((), (ROLE,), (OTHER,)),
    "users": ((), (PERSON,), (OTHER,)),
}
LISTS = [AccessList(*(frozenset(ids) for ids in chosen)) for chosen in itertools.product(*CHOICES.values())]


def as_documented(access: Access, visit: Visit) -> bool:
    """README.md's table, row by row, of a visit of which everything is known."""
    blocked, allowed = access.blocked, access.allowed
    is_in_guild = visit.guild_id is not None
    if visit.user_id in blocked.users or visit.channel_ids & blocked.channels:
        return False
    if is_in_guild and (visit.guild_id in blocked.guilds or visit.role_ids & blocked.roles):
        return False
    is_listed = visit.guild_id in allowed.guilds or bool(visit.channel_ids & allowed.channels)
    is_place_free = is_listed or not (allowed.guilds or allowed.channels)
    if not is_in_guild and access.direct_messages is not None:
        is_place_free = access.direct_messages
    is_named = visit.user_id in allowed.users or (is_in_guild and bool(visit.role_ids & allowed.roles))
    return is_place_free and (is_named or not (allowed.users or allowed.roles))


@pytest.mark.parametrize("place", VISITS)
@pytest.mark.parametrize("direct_messages", [None, True, False])
def test_every_combination_of_lists_means_what_the_table_says(place, direct_messages):
    verdicts = set()
    for allowed, blocked in itertools.product(LISTS, LISTS):
        access = Access(allowed, blocked, direct_messages)
        verdict = access.verdict(VISITS[place])
        verdicts.add(verdict)
        assert (verdict is AccessVerdict.ALLOWED) == as_documented(access, VISITS[place]), (allowed, blocked)

    assert verdicts == ({AccessVerdict.REFUSED} if place == "direct message" and direct_messages is False else
                        {AccessVerdict.ALLOWED, AccessVerdict.REFUSED})  # fmt: skip


@pytest.mark.parametrize("place", ["channel", "thread"])
@pytest.mark.parametrize(
    "unknown", [{"role_ids": None}, {"is_place_known": False}, {"role_ids": None, "is_place_known": False}], ids=str
)
def test_what_is_not_known_lets_nobody_in_whom_the_whole_truth_would_not(place, unknown):
    known = VISITS[place]
    lacks_category = "is_place_known" in unknown  # as a restart knows a thread
    partial = replace(
        known, channel_ids=known.channel_ids - {CATEGORY} if lacks_category else known.channel_ids, **unknown
    )
    num_unsure = 0
    for allowed, blocked in itertools.product(LISTS, LISTS):
        access = Access(allowed, blocked)
        verdict = access.verdict(partial)
        num_unsure += verdict is AccessVerdict.UNSURE
        assert verdict in (access.verdict(known), AccessVerdict.UNSURE), (allowed, blocked)

    assert num_unsure


def test_without_lists_nothing_has_to_be_known():
    assert Access().verdict(Visit(PERSON, GUILD, frozenset(), False, None)) is AccessVerdict.ALLOWED
