"""A small real model at the terminal: it remembers what is in its window, forgets, plays a persona, and never overruns.

What such a model says in so many words is its own affair, so little is asked of it.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.inference.small_model import small_model

pytestmark = pytest.mark.timeout(3600)

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder():
    return small_model()


def talk(place: Path, lines: list[str], **settings: str) -> list[str]:
    """What was answered to each line of `trinity chat`'s standard input: the likeliest words, and few of them."""
    settings |= {"TRINITY_TEMPERATURE": "0", "TRINITY_MAX_NEW_TOKENS": "48", "TRINITY_DEVICE": "cpu"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TRINITY_", "DISCORD_"))}
    place.mkdir(exist_ok=True)
    ended = subprocess.run(
        [sys.executable, "-m", "bot", "chat", "--model", "smollm2"],
        cwd=place,
        input="\n".join(lines),
        env=environment | {"PYTHONPATH": str(ROOT)} | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    answers = [part.partition("\n")[2] for part in ended.stdout.split("You: ")[1:]]
    assert len(answers) == len(lines), ended.stdout
    return answers


@pytest.fixture
def place(folder, tmp_path):
    """A folder to talk in, whose data folder has the model already."""
    made = tmp_path / "here" / "data" / "models"
    made.mkdir(parents=True)
    (made / "smollm2").symlink_to(folder)
    return tmp_path / "here"


def test_what_is_in_the_window_is_remembered_until_it_is_reset(place):
    asked = "What is my cat called?"

    answers = talk(place, ["I have a cat called Biscuit.", asked, "/reset", asked])

    assert "Biscuit" in answers[1]
    assert "Biscuit" not in answers[3]


def test_a_persona_is_played_and_a_question_is_answered(place):
    persona = "/persona set cook You are a cook. You always talk about cooking, food and recipes."
    asked = "Hello! What do you like to talk about?"

    answers = talk(place, [asked, persona, "/persona use cook", "/reset", asked, "What is the capital of France?"])

    assert re.search("cook|food|recipe|kitchen|dish|meal", answers[4], re.IGNORECASE)
    assert answers[4] != answers[0]
    assert "Paris" in answers[5]


def test_a_talk_that_outgrows_the_window_goes_on(place):
    words = " ".join(f"The {number}th of my apples is red and sweet." for number in range(12))
    lines = [f"{words} What colour are they, all {number} of them?" for number in range(6)]

    answers = talk(place, [*lines, "/context"], TRINITY_CONTEXT_WINDOW="768")

    assert all(len(answer.removeprefix("Trinity: ").strip()) > 3 for answer in answers)
    assert "Of 768 tokens" in answers[-1]
