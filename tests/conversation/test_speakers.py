"""Accounts are told apart, whatever they call themselves, and each keeps its label."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.conversation.chat_format import LLAMA_2
from bot.conversation.markup import name_key
from bot.conversation.messages import Turn
from bot.conversation.output import OutputFilter
from bot.conversation.sanitize import MAX_NAME_LENGTH, speaker_name
from bot.conversation.speakers import Speakers, name_turns

HOSTILE_NAMES = st.one_of(
    st.sampled_from(
        [
            *("Alice", "alice", "ＡＬＩＣＥ", "Al\u200bice", "Аlice", "Alice (2)", "Alice 2", "Alice (3)", "Alice②"),
            *("Trinity", "Trinity (2)", "Assistant 2", "System", "someone", "someone (2)", "\u200b", "★", "☆", ""),
            *("x" * 40, "x" * 32, "X" * 31 + "2"),
        ]
    ),
    st.text(max_size=40),
)


def labels(*people: tuple[int, str]) -> list[str]:
    speakers = Speakers()
    return [speakers.label(*person) for person in people]


def test_two_accounts_of_one_name_are_told_apart() -> None:
    assert labels((1, "Alice"), (2, "Alice"), (1, "Alice"), (3, "Alice")) == [
        "Alice",
        "Alice (2)",
        "Alice",
        "Alice (3)",
    ]


@pytest.mark.parametrize("other", ["alice", "ＡＬＩＣＥ", "Al\u200bice", "Аliсe", "Alíce", "A1ice"])
def test_names_that_look_alike_are_told_apart(other: str) -> None:
    first, second = labels((1, "Alice"), (2, other))

    assert name_key(first) != name_key(second)
    assert second.endswith(" (2)")


def test_a_name_that_looks_like_a_label_is_not_taken_for_it() -> None:
    given = labels((1, "Alice"), (2, "Alice"), (3, "Alice (2)"), (4, "Alice (2)"), (5, "Alice 2"))

    assert given[:2] == ["Alice", "Alice (2)"]
    assert len({name_key(label) for label in given}) == 5
    assert labels((1, "Alice (2)"), (2, "Alice"), (3, "Alice")) == ["Alice (2)", "Alice", "Alice (3)"]


def test_who_passes_for_the_bot_or_a_role_is_someone_and_still_told_apart() -> None:
    given = labels((1, "Trinity"), (2, "Trinity (2)"), (3, "System"), (4, "\u200b"), (5, "Assistant 3"))

    assert given == ["someone", "someone (2)", "someone (3)", "someone (4)", "someone (5)"]


@pytest.mark.parametrize("name", ["user123", "User_8291", "human2", "you2", "System of a Down"])
def test_a_name_that_begins_as_a_roles_does_is_kept(name: str) -> None:
    assert labels((1, name)) == [name]


@pytest.mark.parametrize("name", ["Trinity2", "Tr1nity 2", "User 2", "Assistant (2)"])
def test_a_number_makes_nobody_another_bot_or_role(name: str) -> None:
    assert labels((1, name)) == ["someone"]


def test_a_renamed_account_is_one_person_and_its_old_name_stays_its_own() -> None:
    speakers = Speakers()
    turns = [Turn(1, "I have a cat.", "Nice.", "Alice", 1), Turn(2, "And me?", "Who?", "Bob", 2)]

    named = name_turns(turns, speakers, 1, "Alicia")
    later = name_turns([*turns, Turn(3, "Hi.", "Hi.", "Alicia", 1)], Speakers(speakers.given), 3, "Alice")

    assert [turn.author_name for turn in named.turns] == ["Alicia", "Bob"]
    assert named.asker == "Alicia"
    assert {"Alice", "Alicia", "Bob"} <= named.labels
    assert [turn.author_name for turn in later.turns] == ["Alicia", "Bob", "Alicia"]
    assert later.asker == "Alice (2)"


def test_labels_outlive_what_falls_out_of_the_window() -> None:
    speakers = Speakers()
    name_turns([Turn(1, "Hi.", "Hi.", "Alice", 1)], speakers, 2, "Alice")

    later = name_turns([Turn(2, "Hi.", "Hi.", "Alice", 2)], Speakers(speakers.given), 2, "Alice")

    assert later.asker == "Alice (2)"


def test_direct_turns_bear_no_names() -> None:
    named = name_turns([Turn(1, "Hi.", "Hi.", None, 1)], Speakers(), 1, "Alice")

    assert named.turns[0].author_name is None


@given(st.lists(st.tuples(st.integers(1, 4), HOSTILE_NAMES), max_size=12))
def test_no_two_accounts_ever_share_a_label(people: list[tuple[int, str]]) -> None:
    speakers = Speakers()
    owners: dict[str, int] = {}

    for author_id, name in people:
        label = speakers.label(author_id, name)

        assert owners.setdefault(name_key(label), author_id) == author_id
        assert speaker_name(label) == label
        assert len(label) <= MAX_NAME_LENGTH
        assert Speakers(speakers.given).label(author_id, name) == label


def test_the_output_filter_knows_the_labels() -> None:
    output = OutputFilter(LLAMA_2.tags, labels((1, "Alice"), (2, "Alice")))

    shown = output.feed("Hi.\nAlice (2): I am somebody else\n") + output.finish()

    assert "I am somebody else" not in shown
    assert output.is_cut
