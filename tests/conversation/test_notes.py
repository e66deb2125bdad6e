"""What stands in a note of a message that is too long for it."""

from datetime import date

import pytest

from bot.conversation.asked_for import stems_asked_for
from bot.conversation.notes import note

DAY = date(2026, 3, 5)
RAIN = "It has rained since the morning. "


def said(text, question, longest=150):
    line = note(DAY, "Anna", text, longest, stems_asked_for(question))
    opening, _, rest = line.partition("“")
    assert opening == "- 2026-03-05, Anna said: "
    assert rest.endswith("”")
    assert len(rest) <= longest + 1
    return rest[:-1]


@pytest.mark.parametrize(
    ("text", "question", "beginning"),
    [
        (f"{RAIN * 20}My cat is called Miso. {RAIN * 5}", "What is my cat called?", "…My cat is called Miso. It"),
        (f"{RAIN * 20}I was born in Oslo. {RAIN * 5}", "Where am I from?", "…I was born in Oslo. It"),
        (f"{'朝から雨が降っています。' * 20}犬の名前はポチです。{RAIN * 5}", "犬の名前は？", "…犬の名前はポチです。It"),
        (f"{RAIN * 20}\n- one\n- My cat is Miso\n- two {RAIN * 5}", "My cat?", "…"),
        (f"{'well then ' * 60}my cat is called Miso {'and so on ' * 20}", "What is my cat called?", "…"),
        ("x" * 400 + "。私の猫はミソです。" + "y" * 400, "私の猫は？", "…私の猫はミソです。y"),
        (f"My cat is called Miso. {RAIN * 20}", "What is my cat called?", "My cat is called Miso. It"),
        (RAIN * 20, "What is my cat called?", RAIN),
        (RAIN * 20, "???", RAIN),
    ],
)
def test_the_part_that_a_question_is_about_is_noted(text, question, beginning):
    noted = said(text, question)

    assert noted.startswith(beginning)
    assert ("Miso" in noted) == ("Miso" in text)
    assert noted.endswith("…")


@pytest.mark.parametrize("longest", [75, 150, 300])
def test_a_message_of_any_make_is_no_longer_than_its_note_may_be(longest):
    for text in ("cat " * 9000, "猫" * 9000, "cat" * 9000, ". " * 9000, "”“\u2028" * 900, "cat. " * 3000 + "dog"):
        said(text, "What is my cat called?", longest)


def test_a_short_message_is_noted_as_it_is():
    assert said("  My\ncat. It is Miso. ", "cat") == "My cat. It is Miso."
