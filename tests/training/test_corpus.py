import random
import re

import pytest

from bot.conversation.chat_format import ChatPrompt, TurnEncoder
from bot.conversation.notes import NOTES_HEADING, NOTHING, SUMMARY_HEADING, SUMMARY_PROMPT
from bot.conversation.persona import BUILT_IN
from bot.conversation.tokenizer import BEGIN_ID, END_ID, encode
from training import asking, facts, memories, personas, statements, talking, telling, values
from training.conversation import Conversation
from training.noise import add_noise, marked, plain
from training.probes import KNOWN, NEVER_TRAINED, held_back_texts, read_probes
from training.rows import RowWriter, WordEncoder, make_batch


@pytest.fixture(scope="module")
def encoder() -> WordEncoder:
    return WordEncoder()


def alone(seed: object) -> Conversation:
    """A conversation of one person with Trinity."""
    conversation = Conversation(random.Random(str(seed)))
    conversation.persona = personas.TRINITY
    return conversation


def several(*names: str) -> Conversation:
    """A channel in which these people speak."""
    conversation = Conversation(random.Random(1), is_group=True)
    conversation.persona, conversation.speakers, conversation.speaker = personas.TRINITY, list(names), names[0]
    return conversation


def test_word_by_word_encoding_equals_the_tokenizers(encoder: WordEncoder) -> None:
    turns = [turn for seed in range(12) for turn in RowWriter(random.Random(seed), encoder, 769).fill().turns]
    texts = [f"{turn.user} {turn.answer} " for turn in turns]

    encoded = [encoder.encode(text) for text in texts]

    assert encoded == [encode(values.tokenizer(), text) for text in texts]


@pytest.mark.parametrize("seed", range(8))
def test_a_row_is_the_prompt_that_the_bot_would_send(seed: int, encoder: WordEncoder) -> None:
    row = RowWriter(random.Random(seed), encoder, 769).fill()
    prompt = ChatPrompt(row.system)
    for turn in row.turns[:-1]:
        prompt.add_user_message(turn.user)
        prompt.add_assistant_message(turn.answer)
    prompt.add_user_message(row.turns[-1].user)

    ids = prompt.token_ids(TurnEncoder(values.tokenizer()))

    assert row.ids[: len(ids)] == ids


def test_only_answers_are_learnt_up_to_the_end_of_the_turn(encoder: WordEncoder) -> None:
    ids, learnt = make_batch(random.Random(2), encoder, 256, 8192)

    assert ids.shape == learnt.shape == (32, 257)
    assert not learnt[ids == BEGIN_ID].any()
    assert learnt[ids == END_ID].mean() > 0.6


def test_what_a_turn_told_that_did_not_fit_is_never_asked_for(encoder: WordEncoder) -> None:
    writer = RowWriter(random.Random(4), encoder, 400)
    c = writer.conversation
    writer.ids = [0] * 395

    fits = [writer.add(telling.tell_fact(c))]
    writer.num_tokens = 4000
    fits += [writer.add(asking.question_about(c, key)) for key, _ in list(c.told.values())]

    assert fits == [False, False]
    assert not writer.turns


def test_what_a_trimmed_turn_told_is_spelled_as_in_the_answer_that_stayed(encoder: WordEncoder) -> None:
    writers = [RowWriter(random.Random(seed), encoder, 2000) for seed in range(150)]
    for writer in writers:
        writer.conversation.persona = personas.TRINITY
        writer.begin_in_the_middle()

    said = [
        (writer.conversation.fact_clause(*fact), " ".join(turn.answer for turn in writer.turns))
        for writer in writers
        for fact in writer.conversation.told.values()
    ]

    spelled = [(found[0], answers) for clause, answers in said if (found := re.search("favou?rite|colou?r", clause))]
    assert len(spelled) > 20
    assert not [word for word, answers in spelled if word not in answers]


@pytest.mark.parametrize("name", facts.kinds())
def test_every_kind_of_fact_is_asked_for_where_nobody_told_it(name: str) -> None:
    drawn = [asking.ask_untold(alone(seed)) for seed in range(400)]

    skills = [turn.skill for turn in drawn if turn]

    assert skills.count(f"not told {name}") >= 4


def test_no_pattern_leaves_a_slot_or_a_mark_behind(encoder: WordEncoder) -> None:
    rows = [RowWriter(random.Random(seed), encoder, 513).fill() for seed in range(60)]

    texts = [
        f"{turn.user} {turn.answer}" for row in rows for turn in row.turns if "def " not in turn.answer + turn.user
    ]

    assert not [text for text in texts if re.search(r"\{[a-z_0-9]+\}|[\x01-\x03]", text)]


@pytest.mark.parametrize("held_out", [True, False])
def test_training_and_evaluation_share_no_value(held_out: bool) -> None:
    source = values.ValueSource(random.Random(1), held_out=held_out)

    picked = [source.pick(make) for make in ("person", "anything", "place") for _ in range(40)]

    assert {values.is_held_out(value) for value in picked} == {held_out}


@pytest.mark.parametrize("name", facts.kinds())
def test_a_fact_is_recalled_and_one_that_nobody_told_is_not(name: str) -> None:
    conversation = alone(name)
    key = telling.draw_key(conversation, facts.kinds()[name])

    before = asking.question_about(conversation, key).answer
    telling.tell_fact(conversation, key)
    told = next(iter(conversation.told.values()))[1]
    after = asking.question_about(conversation, key).answer

    assert "haven't told me" in before
    assert told.lower() in after.lower() or after.startswith("No")


@pytest.mark.parametrize("seed", range(10))
def test_two_pets_of_one_sentence_are_both_kept(seed: int) -> None:
    conversation = alone(seed)

    drawn = telling.tell_pair(conversation)

    assert len(conversation.told) >= 2
    assert all(value.lower() in drawn.answer.lower() for _, value in conversation.told.values())


def test_a_list_of_pets_is_asked_for_as_long_as_it_is_short() -> None:
    conversation = alone(1)
    animal, pet = conversation.key(facts.kinds()["animal"]), facts.kinds()["pet"]
    conversation.tell(animal, "two geese")
    for kind, name in (("cat", "Mochi"), ("dog", "Bruno")):
        conversation.tell(conversation.key(pet, kind), name)

    asked = asking.question_about(conversation, animal)
    conversation.tell(conversation.key(pet, "pony"), "Max")

    assert asked.answer == "Your cat is called Mochi, your dog is called Bruno, and you have two geese."
    assert not asking.can_ask(conversation, animal)


def test_people_of_one_name_are_told_apart() -> None:
    conversation = several("Alice", "Alice (2)")
    key = conversation.key(facts.kinds()["city"])
    telling.tell_fact(conversation, key)

    conversation.speaker = "Alice (2)"
    answer = asking.question_about(conversation, conversation.key(facts.kinds()["city"])).answer

    assert answer == "I don't know where you live, Alice (2): you haven't told me."


def test_a_name_of_letters_that_cannot_be_spelled_is_left_out_of_answers() -> None:
    conversation = several("𓂀𓂀𓂀𓂀𓂀𓂀", "Bob")

    assert talking.talk(conversation, "thanks").answer == "You're welcome!"
    assert conversation.others == ["Bob"]


def test_built_in_personas_have_their_own_prompts_and_all_but_trinity_show() -> None:
    trained = [personas.built_in(persona.name) for persona in BUILT_IN if persona.name != "Trinity"]

    assert [persona.prompt for persona in trained] == [persona.prompt for persona in BUILT_IN[1:]]
    assert all(persona.styles for persona in trained)
    assert personas.TRINITY.prompt == BUILT_IN[0].prompt


def test_what_another_persona_answered_is_not_learnt(encoder: WordEncoder) -> None:
    writer = RowWriter(random.Random(4), encoder, 1025)
    mine = writer.conversation.persona

    writer._begin_as_another()

    assert writer.turns
    assert not any(writer.learnt)
    assert writer.conversation.persona is mine


def test_the_first_message_is_quoted() -> None:
    conversation = alone(1)
    conversation.finish("the ducks are back", conversation.answer_to("fallback"), "")
    conversation.finish("thanks", conversation.answer_to("fallback"), "")

    answers = {drawn.answer for _ in range(30) if (drawn := asking.ask_said(conversation)) and drawn.skill[0] == "f"}

    assert answers == {"The first thing you said was: the ducks are back"}


def test_the_lists_of_probes_have_nothing_in_common() -> None:
    new, known = ({(probe.systems, probe.says) for probe in read_probes(name)} for name in (NEVER_TRAINED, KNOWN))

    assert len(new) >= 100
    assert len(known) >= 250
    assert not new & known


def test_sentences_of_the_evaluation_are_kept_out_of_the_corpus() -> None:
    rng = random.Random(6)
    kept_out = {statements.words_of(text) for text in held_back_texts()} - {frozenset()}  # signs have no words

    drawn = [draw(rng) for draw in (statements.draw_statement, statements.draw_question) for _ in range(1500)]

    assert len(kept_out) >= 300
    assert not kept_out & {statements.words_of(text) for text in drawn}


def test_a_changed_word_is_still_too_close_to_the_evaluation() -> None:
    assert statements.is_held_back("There's a spider in your bathtub!")
    assert not statements.is_held_back("There's a lizard behind the oven.")


@pytest.mark.parametrize("seed", range(12))
def test_nonsense_is_answered_honestly_and_stays_within_its_row(seed: int, encoder: WordEncoder) -> None:
    drawn = talking.paste(alone(seed), 1000)

    assert "TRINITY_MODEL" in drawn.answer
    assert len(encoder.encode(drawn.user)) < 4000


def test_a_slip_is_never_put_where_the_end_of_a_value_would_be_unclear() -> None:
    rng = random.Random(2)

    typed = {plain(add_noise(f"I like {marked('tea')} very much", rng, "statement")).lower() for _ in range(3000)}

    assert not [text for text in typed if "tea v" in text and "tea very much" not in text]


@pytest.fixture(scope="module")
def remembering(encoder: WordEncoder) -> list[RowWriter]:
    """Rows of Trinity's, of which many have notes, pins or summaries."""
    rows = [RowWriter(random.Random(seed), encoder, 900) for seed in range(150)]
    for row in rows:
        row.conversation.persona = personas.TRINITY
    return [row.fill() for row in rows]


def test_what_is_answered_from_a_note_or_a_summary_stands_there(remembering: list[RowWriter]) -> None:
    skills = ("from a note", "corrected in notes", "from the summary")
    turns = [turn for row in remembering for turn in row.turns if turn.skill in skills and "one" not in row.system]

    told = [turn.answer.rstrip(".!").split(",")[0].rsplit(" ", 1)[-1].lower() in turn.user.lower() for turn in turns]

    assert len(told) > 30
    assert sum(told) > 0.9 * len(told)  # a manner of speaking stands behind some of them


def test_notes_and_pins_stand_as_the_bot_puts_them(remembering: list[RowWriter]) -> None:
    texts = [turn.user for row in remembering for turn in row.turns if turn.user.startswith("What was said")]

    lines = [line for text in texts for line in text.rpartition("\n\n")[0].split("\n")]

    assert any(row.system.count("\n- ") for row in remembering)
    assert len(lines) > 100
    assert not [line for line in lines if line and not line.startswith(("- ", NOTES_HEADING, SUMMARY_HEADING))]


@pytest.mark.parametrize(("has_memory", "least", "most"), [(False, 0, 0), (True, 20, 25)])
def test_rows_have_something_remembered_or_nothing_as_asked(
    encoder: WordEncoder, has_memory: bool, least: int, most: int
) -> None:
    rows = [RowWriter(random.Random(seed), encoder, 900, has_memory=has_memory).fill() for seed in range(25)]

    num_remembering = sum(any(turn.skill in memories.SKILLS for turn in row.turns) for row in rows)

    assert least <= num_remembering <= most


def test_a_summary_has_a_line_for_each_fact_or_says_that_there_is_none(remembering: list[RowWriter]) -> None:
    answers = [turn.answer for row in remembering for turn in row.turns if row.system == SUMMARY_PROMPT]

    assert NOTHING in answers
    assert all(answer == NOTHING or all(line.startswith("- ") for line in answer.split("\n")) for answer in answers)


def test_drawing_what_was_said_before_tells_the_conversation_nothing() -> None:
    conversation = several("Ann", "Bob")
    conversation.told = {}

    past = memories.draw_past(conversation, 12)

    assert len(past) == 12
    assert any(turn.told for turn in past)
    assert not conversation.told
    assert not conversation.said
    assert not conversation.notes


def test_what_adds_up_is_listed_as_it_was_told_whatever_of_it_is_shown_first() -> None:
    conversation = alone(3)
    likes = conversation.key(facts.kinds()["likes"])
    remembered = memories.Memories(conversation, 0, has_summary=False)

    for turn, value in ((7, "tea"), (2, "jazz"), (7, "jazz and tea")):
        remembered.learn(turn, (likes, value))

    assert conversation.known(likes) == "jazz and tea"
