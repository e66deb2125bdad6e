"""What a text is found by: the stems of its words, alike in a question and in what it asks for.

One normaliser for every language, without a dictionary: Unicode's NFC and case folding; words end where letters, digits
and combining marks end, so that Hindi, Thai and vowelled Arabic stay whole; scripts without blanks between words are
cut into pairs of characters. Endings are cut for English, and roughly for languages in Latin and Cyrillic letters: a
stem needn't be a word, only the same one for all forms.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from string import ascii_lowercase

_IRREGULAR = """
be am is are was were been; go went gone goes; buy bought; make made making; take took taken; see saw seen; meet met;
tell told; say said; get got gotten; give gave given; find found; think thought; feel felt; leave left; begin began
begun; write wrote written; run ran; win won; lose lost; teach taught; choose chose chosen; speak spoke spoken; break
broke broken; drive drove driven; eat ate eaten; fly flew flown flight; grow grew grown; know knew known; ride rode
ridden; sing sang sung; sleep slept; spend spent; swim swam swum; wear wore worn; build built; catch caught; draw drew
drawn; hold held; keep kept; lead led; pay paid; sell sold sale; send sent; sit sat; stand stood; bring brought; become
became; come came; child kid kids children; person people; woman women; man men; wife wives; life lives live lived
living; foot feet; fall fell fallen; forget forgot forgotten; hear heard; wedding marry married marriage; mouse mice;
tooth teeth; mother mom mum; father dad; photo picture pic image; colour color; flavour flavor;
neighbour neighbor; centre center; theatre theater; grey gray; jewellery jewelry; pyjamas pajamas
"""
_FIRST_FORMS = {form: forms[0] for forms in map(str.split, _IRREGULAR.split(";")) for form in forms}

_STOP_WORDS = """
a about all also am an and any are as at be because been before being but by can could did do does doing done for
from get gets getting got had has have having he her here hers him his how i if in into is it its just like me more
most my no not of on once only or other our out over own same she should so some such than that the their them then
there these they this those through to too under until up very was we were what when where which while who whom
whose why will with would you your yours s t m re ve ll d don didn doesn isn wasn weren aren couldn wouldn won hasn
haven hadn let us
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
"""English words that say nothing of what a text is about."""

# Those of other languages; without those that are English words of some meaning (die, war, son, comment, sin).
_LITTLE_WORDS = """
wie was wer wen wem wo woher wohin wann warum wieso welche welcher welches welchen welchem ist sind bist habe
haben hatte ein eine einen einem einer eines der das den dem des und oder im am an auf mit von vom zu zum zur bei
aus nach über ich du er sie es wir ihr mich mir dich dir uns mein meine meinen meinem meiner meines dein deine nicht
kennst weißt erinnerst noch auch so schon denn doch mal
quel quelle quels quelles qui que quoi quand où combien pourquoi est ce sont suis es as avons avez ont était
d j l m n s t qu le la les un une des du de et ou dans sur avec chez par je tu il elle nous vous moi mon ma mes ta
tes te souviens rappelles ne pas à au aux en
qué cuál cuáles quién quiénes cuándo cuánto cuánta cómo dónde por que es está soy estoy tengo tiene el los las una
unos y o con del al yo tú mi mis tu tus me te se lo su sus más ya acuerdas recuerdas
qual quais quem onde porque é são está sou estou tenho tem os as um uma uns e ou do da dos das no na nos nas com para eu
você meu minha meus minhas teu tua seu sua lembras lembra
что кто кого кому где куда откуда когда как какой какая какое какие каком какую почему сколько это я ты он она мы вы
меня мне тебя тебе мой моя моё мои моего моей моему моём мою твой твоя у в во на с со из от до по за к о об и а но не ли
же был была было были есть помнишь
ما ماذا من هو هي متى أين كيف هل كم أي لماذا في على عن إلى مع أنا أنت لي و كان كانت هذا هذه تتذكر
क्या कौन कब कहाँ कैसे क्यों किस किसे कितने कितना कितनी का की के है हैं हूँ था थी थे में से को पर ने और मैं मुझे मेरा मेरी मेरे तुम
तुम्हारा सा सी याद
อะไร ที่ไหน เมื่อไหร่ ยังไง อย่างไร ทำไม ใคร เท่าไหร่ ของฉัน คือ จำได้ไหม
何ですか 何の どこ いつ だれ 誰の どう なに なんて ですか ですね ますか ました ください でした 覚えてる 覚えてい
뭐예요 뭐야 뭐죠 무엇 어디 언제 누구 어떻게 어때요 예요 이에요 나요 있어요 있나요 기억나 기억해
什么 哪里 哪个 哪儿 怎么 怎样 为什么 多少 的是 是什 你还记得
"""

# What is cut from an English word, and what takes its place; the first that leaves enough letters is cut.
_ENDINGS = (
    ("ational", "ate", 4), ("ization", "ize", 4), ("fulness", "ful", 3), ("iveness", "ive", 3), ("ies", "y", 2),
    ("ied", "y", 2), ("ingly", "", 4), ("edly", "", 4), ("ing", "", 3), ("ed", "", 3), ("ement", "", 4),
    ("ment", "", 4), ("ness", "", 3), ("ation", "", 4), ("ition", "", 4), ("ion", "", 4), ("ly", "", 3), ("er", "", 4),
    ("or", "", 4), ("en", "", 4), ("est", "", 4), ("es", "", 3), ("s", "", 3), ("al", "", 4), ("ful", "", 3),
    ("e", "", 3), ("y", "i", 3),
)  # fmt: skip
_DOUBLED = frozenset("bdgmnprt")
_CYRILLIC = re.compile(
    "(?<=...)(?:ами|ями|ого|его|ому|ему|ыми|ими|ов|ев|ах|ях|ам|ям|ой|ей|ий|ый|ая|яя|ое|ее|ые|ие|ом|ем|ую|юю"
    "|[уюаяыиоеь])$"
)
_ARABIC_ARTICLE = re.compile("^(?:وال|بال|كال|فال|لل|ال)(?=...)")
_ARABIC_MARKS = re.compile("[\u0610-\u061a\u064b-\u065f\u0670\u0640]")
_MAX_LETTERS = 64  # of a word; the rest is what it isn't found by
_ASCII_WORD = re.compile(f"([a-z0-9]{{1,{_MAX_LETTERS}}})[a-z0-9]*")
_OWNER = re.compile(r"'s\b")

# Scripts that are written without blanks, or, in Korean's case, with endings joined to every word.
_UNSPACED = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF),
    (0xAC00, 0xD7AF), (0x20000, 0x323AF),
)  # fmt: skip


def is_pair(form: str) -> bool:
    """Whether a stem is a pair of characters out of a script without blanks between words."""
    return len(form) == 2 and _is_unspaced(form[0])


def stems(text: str) -> list[str]:
    """The stems of a text's words, in order; words that say nothing are among them."""
    return [stem(word) for word in words(text)]


def content_stems(text: str) -> list[str]:
    """The stems of what a text is about, in order."""
    return [stem(word) for word in words(text) if word not in STOP_WORDS]


def words(text: str) -> list[str]:
    """A text's words, case folded; of scripts without blanks, pairs of characters."""
    folded = unicodedata.normalize("NFC", text).casefold().replace("\u2019", "'")
    folded = _OWNER.sub("", folded)
    return _ASCII_WORD.findall(folded) if folded.isascii() else [*_any_words(folded)]


def _any_words(text: str) -> Iterator[str]:
    word = ""
    for character in (*text, " "):
        if word and _is_unspaced(character) != _is_unspaced(word[0]):
            yield from _cut(word)
            word = ""
        if _is_of_word(character):
            word += character
        elif word:
            yield from _cut(word)
            word = ""


def _cut(word: str) -> Iterator[str]:
    if len(word) == 1 or not _is_unspaced(word[0]):
        yield word[:_MAX_LETTERS]
    else:
        yield from (word[start : start + 2] for start in range(len(word) - 1))


@lru_cache(maxsize=8192)
def _is_of_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNM" or unicodedata.category(character) == "Co"


@lru_cache(maxsize=8192)
def _is_unspaced(character: str) -> bool:
    code = ord(character)
    return any(first <= code <= last for first, last in _UNSPACED)


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """What all forms of a word have in common; a pair of characters is its own."""
    if word in _FIRST_FORMS:
        return _FIRST_FORMS[word]
    if not word.isascii():
        if _is_unspaced(word[0]):
            return word
        return _foreign_stem(word)
    return _english_stem(word)


def _english_stem(word: str) -> str:
    for ending, instead, fewest in _ENDINGS:
        rest = word.removesuffix(ending)
        if rest == word or len(rest) < fewest or (ending == "s" and rest.endswith("s")):
            continue
        word = rest + instead
        if ending in ("ing", "ed", "er") and len(word) > 3 and word[-1] == word[-2] and word[-1] in _DOUBLED:
            word = word[:-1]
        break
    if len(word) > 3 and word.endswith("e"):
        word = word[:-1]
    return word[:-1] + "i" if len(word) > 3 and word.endswith("y") else word


def _foreign_stem(word: str) -> str:
    word = _ARABIC_ARTICLE.sub("", _ARABIC_MARKS.sub("", word))
    if _CYRILLIC.search(word):
        return _CYRILLIC.sub("", word)
    plain = "".join(each for each in unicodedata.normalize("NFD", word) if not "\u0300" <= each <= "\u036f")
    return _english_stem(plain) if plain.isascii() else word


LITTLE_STEMS = frozenset(map(stem, words(_LITTLE_WORDS))) - frozenset(map(stem, STOP_WORDS))
"""Stems that say nothing of what a question in another language is about; they are looked for all the same."""


def misspelt(word: str) -> Iterator[str]:
    """A word with one letter left out, changed or added, or two beside each other exchanged; its first letter stays."""
    halves = [(word[:at], word[at:]) for at in range(1, len(word) + 1)]
    yield from (before + after[1:] for before, after in halves if after)
    yield from (before + after[1] + after[0] + after[2:] for before, after in halves if len(after) > 1)
    yield from (before + letter + after[1:] for before, after in halves if after for letter in ascii_lowercase)
    yield from (before + letter + after for before, after in halves for letter in ascii_lowercase)
