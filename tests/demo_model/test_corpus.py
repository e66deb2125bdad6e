import random
import re

import pytest

from bot.conversation.persona import BUILT_IN
from bot.demo_model.training import (
    grammar,
    kinds,
    personas,
    statements,
    turns_ask,
    turns_facts,
    turns_recall,
    turns_talk,
    values,
)
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
from bot.demo_model.training.near_misses import is_held_back, words_of
from bot.demo_model.training.noise import add_noise, marked, plain
from bot.demo_model.training.probes import PROBES, SILENT
from bot.demo_model.training.probes_final import FINAL_PROBES, FINAL_SILENT
from bot.demo_model.training.probes_fresh import FRESH_PROBES, FRESH_SILENT
from bot.demo_model.training.probes_later import LATER_SILENT
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
    ids, learnt = make_batch(random.Random(2), encoder, 256, 8192)

    assert ids.shape == learnt.shape == (32, 257)
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
    lists = [{(probe.system, probe.says) for probe in probes} for probes in (PROBES, FINAL_PROBES, FRESH_PROBES)]

    assert min(map(len, lists)) >= 60
    assert len(set.union(*lists)) == sum(map(len, lists))


def test_statements_of_the_evaluation_are_kept_out_of_the_corpus() -> None:
    rng = random.Random(6)
    kept_out = {frozenset(words_of(text)) for text in (*SILENT, *FINAL_SILENT, *FRESH_SILENT, *LATER_SILENT)}

    drawn = [draw(rng) for draw in (statements.draw_statement, statements.draw_question) for _ in range(3000)]

    assert len(kept_out) >= 260
    assert not kept_out & {words_of(text) for text in drawn}


def test_a_changed_word_is_still_too_close_to_the_evaluation() -> None:
    assert is_held_back("There's a spider in your bathtub!")
    assert not is_held_back("There's a lizard behind the oven.")


def test_an_unclear_wish_to_remember_is_not_asked_for_as_a_note() -> None:
    conversation = Conversation(random.Random(1))
    key = turns_facts.draw_key(conversation, kinds.CITY)

    turns_facts.remember(conversation, "For future reference, I live in \x01Bonn\x02", key, "Bonn")
    unsure = [turns_recall.ask_note(conversation) for _ in range(20)]

    assert unsure == [None] * 20


@pytest.mark.parametrize("seed", range(12))
def test_nonsense_is_answered_honestly_and_stays_within_its_row(seed: int, encoder: WordEncoder) -> None:
    conversation = Conversation(random.Random(seed))
    conversation.persona = personas.Persona("Trinity", personas.TRINITY_PROMPT)

    drawn = turns_talk.nonsense(conversation, 1000)

    assert "TRINITY_MODEL" in drawn.answer
    assert len(encoder.encode(drawn.user)) < 4000


def test_a_slip_is_never_put_where_the_end_of_a_value_would_be_unclear() -> None:
    rng = random.Random(2)

    typed = {plain(add_noise(f"I like {marked('tea')} very much", rng, "statement")).lower() for _ in range(3000)}

    assert not [text for text in typed if "tea v" in text and "tea very much" not in text]


def test_a_bracket_that_closes_too_early_is_an_error() -> None:
    with pytest.raises(ValueError, match="outside of alternatives"):
        grammar.parse_pattern("(ok|;)|cool)(|!)")
