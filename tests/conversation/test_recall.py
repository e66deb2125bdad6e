"""Which of many earlier messages a question asks for."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from bot.chat.recollection import LEAST_SHARE
from bot.conversation import recall
from bot.conversation.recall import Passage, RecallIndex

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
SMALL_TALK = [
    "How is the weather over there?",
    "It has been raining since the morning.",
    "The train was late once more.",
    "Did anybody watch the match?",
    "We should order lunch soon.",
    "My keyboard is broken.",
    "That film was far too long.",
    "I am still waiting for the parcel.",
]


def talk(*said, days_between=0):
    """An index of (speaker, text) pairs, a minute apart, or so many days."""
    step = timedelta(days=days_between) if days_between else timedelta(minutes=1)
    return RecallIndex(Passage(number, who, text, NOON + number * step) for number, (who, text) in enumerate(said))


def among_small_talk(who, text, num_turns=40):
    """An index in which one message stands before many others; its id is 0."""
    source = random.Random(7)
    return talk((who, text), *((source.choice(["Ben", "Cleo"]), source.choice(SMALL_TALK)) for _ in range(num_turns)))


@pytest.mark.parametrize(
    ("fact", "question"),
    [
        ("My cat is called Miso.", "What is my cat's name?"),
        ("Meine Katze heißt Miso.", "Wie heißt meine Katze?"),
        ("Mon chat s'appelle Miso.", "Comment s'appelle mon chat ?"),
        ("Мою собаку зовут Бим.", "Как зовут мою собаку?"),
        ("اسم قطتي ميسو", "ما اسم قطتي؟"),
        ("मेरी बिल्ली का नाम मीसो है", "मेरी बिल्ली का नाम क्या है?"),
        ("แมวของฉันชื่อมิโซะ", "แมวของฉันชื่ออะไร"),
        ("私の猫の名前はみそです", "私の猫の名前は何ですか？"),
        ("내 고양이 이름은 미소야", "내 고양이 이름이 뭐야?"),
    ],
    ids=["English", "German", "French", "Russian", "Arabic", "Hindi", "Thai", "Japanese", "Korean"],
)
def test_a_fact_is_found_after_forty_turns_of_small_talk(fact, question):
    index = among_small_talk("Anna", fact)

    assert index.find(question, 3)[0] == 0


SAID_ELSEWHERE = {
    "German": (
        ("Es regnet seit dem Morgen.", "Der Zug war schon wieder zu spät.", "Hat jemand das Spiel gesehen?"),
        ("Das Treffen ist am 14. im Café Nord.", "Wo findet das Treffen statt?"),
        "Was ist die Hauptstadt von Australien?",
    ),
    "French": (
        ("Il pleut depuis ce matin.", "Le train était encore en retard.", "Quelqu'un a vu le match ?"),
        ("J'habite à Lyon depuis deux ans.", "Dans quelle ville est-ce que j'habite ?"),
        "Quelle est la capitale de l'Australie ?",
    ),
    "Russian": (
        ("С утра идёт дождь.", "Поезд опять опоздал.", "Как там погода?"),
        ("Моя сестра выходит замуж в июне.", "Когда свадьба у моей сестры?"),
        "Какая столица Австралии?",
    ),
    "Arabic": (
        ("المطر يهطل منذ الصباح.", "تأخر القطار مرة أخرى.", "كيف الطقس عندكم؟"),
        ("عندي حساسية من الجوز.", "من ماذا عندي حساسية؟"),
        "ما هي عاصمة أستراليا؟",
    ),
    "Hindi": (
        ("सुबह से बारिश हो रही है।", "ट्रेन फिर से देर से आई।", "वहाँ मौसम कैसा है?"),
        ("मुझे अखरोट से एलर्जी है।", "मुझे किस चीज़ से एलर्जी है?"),
        "ऑस्ट्रेलिया की राजधानी क्या है?",
    ),
    "Thai": (
        ("ฝนตกตั้งแต่เช้าแล้ว", "รถไฟมาสายอีกแล้ว", "อากาศที่นั่นเป็นยังไงบ้าง"),
        ("คำลับคือเอลเดอร์", "จำคำลับได้ไหม"),
        "หุงข้าวยังไง",
    ),
    "Japanese": (
        ("朝から雨が降っています。", "電車がまた遅れました。", "試合を見た人いますか？"),
        ("来週の火曜に歯医者に行く予定です。", "歯医者はいつ行くんだっけ？"),
        "オーストラリアの首都はどこですか？",
    ),
    "Korean": (
        ("아침부터 비가 오고 있어요.", "기차가 또 늦었어요.", "거기 날씨 어때요?"),
        ("회의는 목요일에 카페에서 해요.", "회의가 언제예요?"),
        "호주의 수도는 어디예요?",
    ),
    "Chinese": (
        ("从早上就开始下雨。", "火车又晚点了。", "你们那边天气怎么样？"),
        ("会议星期四在咖啡馆举行。", "会议是什么时候？"),
        "澳大利亚的首都是哪里？",
    ),
}


@pytest.mark.parametrize("language", SAID_ELSEWHERE)
def test_the_little_words_of_a_language_neither_hide_a_fact_nor_find_one(language):
    small_talk, (fact, question), other_question = SAID_ELSEWHERE[language]
    index = talk(("Anna", fact), *(("Ben", text) for text in small_talk * 14))

    assert index.find(question, 8, least_share=LEAST_SHARE)[:1] == [0]
    assert index.find(other_question, 8, least_share=LEAST_SHARE) == []


def test_the_person_whom_a_question_names_is_the_one_who_said_it():
    index = talk(("Anna", "I like tea best."), ("Ben", "Nice."), ("Ben", "I like coffee best."), days_between=1)

    assert index.find("What does Ben like best?", 1) == [2]
    assert index.find("What does Anna like best?", 1) == [0]


def test_i_is_who_asks():
    index = talk(("Anna", "I like tea best."), ("Ben", "I like coffee best."), days_between=1)

    assert index.find("What do I like best?", 1, asker="Ben") == [1]
    assert index.find("What do I like best?", 1, asker="Anna") == [0]


def test_an_answer_is_found_by_its_question():
    said = [("Ben", text) for text in SMALL_TALK]
    index = talk(*said, ("Ben", "Which instrument do you play?"), ("Anna", "The oboe."), *said)

    assert len(SMALL_TALK) + 1 in index.find("Which instrument does Anna play?", 2)


def test_a_month_in_the_question_lifts_what_was_said_then():
    index = talk(*[("Anna", "We went hiking in the hills.")] * 12, days_between=30)

    (found,) = index.find("Where did Anna go in July?", 1) or [None]

    assert (NOON + found * timedelta(days=30)).month == 7


def test_when_is_answered_by_words_of_time():
    index = talk(("Anna", "I bought a bicycle in the shop."), ("Anna", "I bought a bicycle last week."), days_between=1)

    assert index.find("When did Anna buy the bicycle?", 1) == [1]


def test_a_question_about_what_nobody_spoke_of_finds_nothing():
    index = among_small_talk("Anna", "My cat is called Miso.")

    assert index.find("Explain quantum entanglement, please", 5, least_share=0.25) == []
    assert index.find("🎉", 5) == []
    assert RecallIndex().find("What is my cat's name?", 5) == []


def test_what_people_write_is_never_a_query():
    index = among_small_talk("Anna", 'He said "NEAR(a b)" OR -5 AND tea/coffee, hello.there')

    for question in ['"', "NEAR(", "tea/coffee", "-5", "OR OR OR", "hello.there", "* ^ : {}", "\x00"]:
        index.find(question, 3)
    assert index.find("tea/coffee", 1) == [0]


def test_what_is_added_later_is_found_as_if_it_had_been_there():
    said = [("Anna", "My cat is called Miso."), *(("Ben", text) for text in SMALL_TALK), ("Ben", "My dog is Rex.")]
    whole, grown = talk(*said), talk(*said[:4])

    for number in range(4, len(said)):
        grown.add(Passage(number, *said[number], NOON + number * timedelta(minutes=1)))

    assert grown.ids == whole.ids
    assert grown.find("What is the dog called?", 5) == whole.find("What is the dog called?", 5)


@pytest.mark.parametrize("signs", ["???", "😀", "", " "])
def test_a_question_without_a_word_finds_nothing(signs):
    index = among_small_talk("Anna", "My cat is called Miso.")

    assert index.find(signs, 3, least_share=0.25) == []
    assert index.find(signs, 3) == []


def test_the_fact_that_a_question_behind_a_long_pasted_text_asks_for_is_found():
    index = among_small_talk("Anna", "My cat is called Miso.")
    pasted = " ".join(f"line{number} of it" for number in range(8000))

    assert index.find(f"{pasted}\nWhat is my cat called?", 1) == [0]


def test_a_word_that_says_nothing_is_nobody_though_it_stands_in_a_name():
    index = talk(("Anna", "My car is red."), ("The Owl", "My car is blue."), days_between=1)

    assert index.find("What is the colour of my car?", 1, asker="Anna") == [0]
    assert index.find("What is the colour of the owl's car?", 1, asker="Anna") == [1]


def test_there_is_room_for_so_many_different_words_and_no_more(monkeypatch):
    monkeypatch.setattr(recall, "MAX_STEMS", 3)

    index = talk(("Anna", "walnut hazel"), ("Ben", "hazel almond cashew"), days_between=1)

    assert index.find("almond", 1) == [1]
    assert index.find("cashew", 1) == []


@pytest.mark.parametrize(
    ("fact", "question"),
    [
        ("I was born in Oslo and left as a child.", "Can you tell me where I'm from?"),
        ("I'm from Oslo, by the way", "do you remember what country I come from?"),
        ("You can call me Nadja.", "What did I say my name was?"),
        ("I earn my money as a baker", "what's my job again, please?"),
        ("My wife is called Ida", "Who am I married to?"),
        ("I turned 61 last week", "How old am I?"),
        ("We moved to Bergen in spring", "Do you still know where I live?"),
        ("My favorite colour is teal", "Which is my favourite color?"),
        ("I prefer teal to any other", "What do I like best?"),
        ("I drive an old Skoda", "Which car do I have?"),
    ],
)
def test_a_fact_is_found_in_other_words_than_it_was_told_in(fact, question):
    source = random.Random(5)
    said = ["Please tell me a joke again.", "Do you remember that film?", "Can you say it once more?", *SMALL_TALK]
    index = talk(("Anna", fact), *((source.choice(["Anna", "Ben"]), source.choice(said)) for _ in range(60)))

    assert index.find(question, 3, asker="Anna", least_share=0.25)[:1] == [0]


@pytest.mark.parametrize(
    ("fact", "question"),
    [
        ("My dog is called Rex.", "What is my dog called?"),
        ("I drink my coffee black.", "How do I take my coffee?"),
        ("The wifi is called quince.", "What is the wifi called?"),
        ("Meine Katze ist acht.", "Wie alt ist meine Katze?"),
    ],
)
def test_a_thing_is_asked_for_though_somebody_is_called_so(fact, question):
    source = random.Random(3)
    said = ["The new game is called Nebula.", "I called my mother.", *SMALL_TALK]
    people = ["Dog Lover", "Coffee", "Wifi", "Katze"]
    index = talk(("Anna", fact), *((source.choice(people), source.choice(said)) for _ in range(120)))

    assert index.find(question, 3, asker="Anna", least_share=LEAST_SHARE)[:1] == [0]


def test_among_ten_people_each_has_a_fact_of_their_own():
    people = ["Anna", "Ben", "Cleo", "Dora", "Emil", "Fritz", "Greta", "Hugo", "Ida", "Jonas"]
    source = random.Random(3)
    facts = [(name, f"I live in a town called {name[::-1].title()}.") for name in people]
    said = [(source.choice(people), source.choice(SMALL_TALK)) for _ in range(300)]
    index = talk(*facts, *said)

    assert [index.find(f"Where is {name}'s home?", 1, asker="Anna", least_share=0.25) for name in people] == [
        [number] for number in range(10)
    ]
    assert [index.find("which city is my home?", 1, asker=name) for name in people] == [[n] for n in range(10)]


def test_a_misspelt_word_of_a_question_is_found_where_nobody_wrote_it_so():
    index = among_small_talk("Anna", "My accordion is from Italy.")

    assert index.find("Where is the acordion made?", 1) == [0]
    assert index.find("Where is the akkordeon made?", 1, least_share=0.25) == []


def test_a_question_may_stand_beside_sentences_about_something_else():
    index = among_small_talk("Anna", "My cat is called Miso.")
    beside = "I have a broken umbrella to mend before Thursday, and nobody helps me."

    assert index.find(f"{beside} What is my cat called?", 1, least_share=0.25) == [0]
    assert index.find(f"{beside} Explain quantum entanglement, please.", 1, least_share=0.25) == []


def test_that_something_is_not_known_weighs_less_than_that_it_is():
    index = talk(("", "I don't know your city, Anna."), ("Ben", "So?"), ("Anna", "My city has a river"), days_between=1)

    assert index.find("What is the name of the city?", 1) == [2]


def test_what_was_said_to_somebody_weighs_more_where_they_are_asked_about():
    said = [Passage(n, "", f"Got it: you live in {city}.", NOON + timedelta(days=n), who)
            for n, (city, who) in enumerate([("Oslo", "Anna"), ("Rome", "Ben"), ("Lima", "Cleo")])]  # fmt: skip
    index = RecallIndex(
        [*said, *(Passage(3 + n, who, "Hm", NOON, "") for n, who in enumerate(("Anna", "Ben", "Cleo")))]
    )

    assert index.find("Where do I live?", 1, asker="Ben") == [1]
    assert index.find("Where does Cleo live?", 1, asker="Ben") == [2]
