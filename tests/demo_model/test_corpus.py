import random
import re

import pytest

from bot.chat.persona import BUILT_IN
from bot.demo_model.training import kinds, personas, turns_ask, turns_facts, values
from bot.demo_model.training.chat_format import (
    BOS,
    EOS,
    WordEncoder,
    encode_prompt,
    load_tokenizer,
    turn_text,
    with_system,
)
from bot.demo_model.training.conversation import Conversation
from bot.demo_model.training.probes import PROBES
from bot.demo_model.training.probes_final import FINAL_PROBES
from bot.demo_model.training.rows import make_batch, make_row
from bot.demo_model.training.values import is_held_out


@pytest.fixture(scope="module")
def encoder() -> WordEncoder:
    return WordEncoder(load_tokenizer())


def test_word_by_word_encoding_equals_the_tokenizers(encoder: WordEncoder) -> None:
    turns = [turn for seed in range(20) for turn in make_row(random.Random(seed), encoder, 1025).turns]
    texts = [turn_text(with_system("Be\nkind.", turn.user), turn.answer) for turn in turns]

    encoded = [encoder.encode(text) for text in texts]

    assert encoded == [encoder.tokenizer.encode(text, add_special_tokens=False).ids for text in texts]


def test_a_row_is_the_prompt_that_the_bot_would_send(encoder: WordEncoder) -> None:
    row = make_row(random.Random(5), encoder, 1025)
    users = [turn.user for turn in row.turns]
    users[0] = with_system(row.conversation.persona.prompt, users[0])

    prompt = encode_prompt(
        encoder.tokenizer, list(zip(users[:-1], [turn.answer for turn in row.turns[:-1]], strict=True)), users[-1]
    )

    assert row.ids[: len(prompt)] == prompt


def test_only_answers_are_learnt_up_to_the_end_of_the_turn(encoder: WordEncoder) -> None:
    ids, learnt = make_batch(random.Random(2), encoder, 256, 2048)

    assert ids.shape == learnt.shape == (8, 257)
    assert not learnt[ids == BOS].any()
    assert learnt[ids == EOS].mean() > 0.9


def test_no_pattern_leaves_a_slot_or_a_mark_behind(encoder: WordEncoder) -> None:
    rows = [make_row(random.Random(seed), encoder, 513) for seed in range(60)]

    texts = [f"{turn.user} {turn.answer}" for row in rows for turn in row.turns if "def " not in turn.answer]

    assert not [text for text in texts if re.search(r"\{[a-z_]+\}|[\x01\x02]", text)]


@pytest.mark.parametrize("held_out", [True, False])
def test_training_and_evaluation_share_no_value(held_out: bool) -> None:
    source = values.ValueSource(random.Random(1), held_out=held_out)

    picked = [source.pick(make) for make in (values.person, values.anything, values.place) for _ in range(40)]

    assert {is_held_out(value) for value in picked} == {held_out}


@pytest.mark.parametrize("kind", kinds.KINDS, ids=lambda kind: kind.name)
def test_a_told_fact_is_recalled_and_an_untold_one_is_not(kind) -> None:
    conversation = Conversation(random.Random(kind.name))
    conversation.persona = personas.Persona("Trinity", personas.TRINITY_PROMPT)
    key = turns_facts.draw_key(conversation, kind)

    before = turns_ask.question_about(conversation, key).answer
    turns_facts.tell_fact(conversation, key=key)
    told_value = next(iter(conversation.told.values()))[1]
    after = turns_ask.question_about(conversation, key).answer

    assert "haven't told me" in before
    assert told_value.lower() in after.lower() or after.startswith("No")


def test_built_in_personas_are_trained_with_their_own_prompts() -> None:
    rng = random.Random(3)

    prompts = {personas.built_in(rng).prompt for _ in range(100)} | {personas.TRINITY_PROMPT}

    assert prompts == {persona.prompt for persona in BUILT_IN}


def test_the_lists_of_probes_have_nothing_in_common() -> None:
    first, final = ({(probe.system, probe.says) for probe in probes} for probes in (PROBES, FINAL_PROBES))

    assert len(FINAL_PROBES) >= 60
    assert not first & final
