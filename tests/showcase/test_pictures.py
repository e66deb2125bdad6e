"""docs/pictures shows what people see today: the conversations are played again, and drawn again."""

import re
from pathlib import Path

import pytest

from tests.architecture.imports import ROOT
from tests.groups import with_transformers
from tests.showcase.__main__ import PICTURES
from tests.showcase.conversations import CONVERSATIONS, NotOnRecordError, play
from tests.showcase.markup import Kind, Run, Style, lines_of
from tests.showcase.model import FOLDER, RecordedModel, load_record, open_demo_model
from tests.showcase.picture import draw

OUT_OF_DATE = "out of date: run `python -m tests.showcase`"
MOST_BYTES = 60_000
SHOWN = re.compile(r"!\[(?P<alt>[^\]]+)\]\(docs/pictures/(?P<name>[\w-]+)\.svg\)")


@pytest.mark.no_cover
async def test_the_pictures_are_what_would_be_drawn_now(tmp_path: Path) -> None:
    try:
        played = await play(RecordedModel(record=load_record()), tmp_path)
    except NotOnRecordError as error:
        pytest.fail(f"{OUT_OF_DATE} ({error})")

    for one in played:
        name = one.conversation.name
        assert (PICTURES / f"{name}.svg").read_text(encoding="utf-8") == draw(one), f"{name}.svg is {OUT_OF_DATE}"


@with_transformers
@pytest.mark.no_cover
@pytest.mark.skipif(not (FOLDER / "model.safetensors").is_file(), reason="the demonstration model isn't there")
async def test_the_words_in_the_pictures_are_the_models_own(tmp_path: Path) -> None:
    async with open_demo_model() as demo:
        model = RecordedModel(model=demo)
        await play(model, tmp_path)

    assert model.said == load_record(), "out of date: run `python -m tests.showcase --ask-model`"


def test_every_picture_is_light_and_loads_nothing() -> None:
    for conversation in CONVERSATIONS:
        picture = (PICTURES / f"{conversation.name}.svg").read_text(encoding="utf-8")

        assert len(picture.encode()) < MOST_BYTES
        assert not re.search(r"href|<image|<script|url\(|@import", picture)
        assert f"<title>{conversation.about}</title>" in picture


def test_the_readme_shows_every_picture_and_says_what_is_on_it() -> None:
    shown = SHOWN.findall((ROOT / "README.md").read_text(encoding="utf-8"))

    assert len(shown) == len(CONVERSATIONS)
    assert {name: alt for alt, name in shown} == {one.name: one.about for one in CONVERSATIONS}


def test_markdown_is_read_as_the_client_reads_it() -> None:
    small, text, code = lines_of("-# cut **here**\nuse `/help`, <@Bob>\n```py\nx = 1\n```")

    assert (small.kind, small.runs) == (Kind.SMALL, (Run("cut ", Style()), Run("here", Style(is_bold=True))))
    assert [run.text for run in text.runs] == ["use ", "/help", ", ", "@Bob"]
    assert (code.kind, code.runs[0].text) == (Kind.CODE, "x = 1")
