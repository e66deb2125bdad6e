"""What people do to a sentence: openings, endings, lower case, missing punctuation, a typo. Values are left alone."""

import random
import re

from bot.demo_model.training.grammar import draw

VALUE = re.compile("\x01(.*?)\x02", re.DOTALL)
"""A value inside a drawn text stands between these two marks until the text is finished."""

OPENINGS = """
(hey|hi|hello|yo|heya|hiya|hey there|hello there|ok|okay|alright|right|well|so|um|uh|hmm|oh|ah|anyway|listen|look)(,||!)
(ok so|oh and|and|also|but|now|ok now|one more thing:|another thing:|quick one:|by the way,|btw,|btw|well then,|anyways,)
(Trinity|trinity|dear Trinity|hey Trinity|hi Trinity|hello Trinity|ok Trinity|yo trinity|hey bot|bot)(,||:|!)
"""
REMEMBER_OPENINGS = """
(please |)(remember|note|keep in mind|know|be aware|don't forget|make a note|write down|save this|take note|bear in mind|store this|remember this|add to your memory|for your memory|for future reference|for later|memo|note to you|keep this in your memory|mark my words)(,|:||: ||:)
(can|could|would|will) you (please |)(remember|keep in mind|note|save) (that |this: |)
(I want you to|you need to|you must|you should|I'd like you to) (remember|know|keep in mind|note) (that |this: |)
(remember|note|keep in mind|don't forget|bear in mind|be aware|please note|let it be known|make a note|know) that
"""
STATEMENT_OPENINGS = """
(btw|by the way|fyi|FYI|for your information|for the record|just so you know|just fyi|so you know|in case you wonder|in case you care|if you must know|since you ask|as a matter of fact|incidentally|oh by the way|side note|small update|update|news|just to be clear|in case you were wondering|heads up|ok listen|psst|so|and|oh|ok|well|lol|haha|yeah|hmm|lol so|ok then)(,||:)
(I (want|wanted|would like|need|have) to (tell|let) you (something|know)(:|,) |I've got something to tell you: |I have something to tell you. |Let me tell you something: |Let me share something: |Something about me: |Here's something about me: |A bit about me: |Here is a fact about me: |About myself: )
(I should (mention|say|add) (that |)|I'd like you to know (that |)|you should know (that |)|you might want to know (that |)|I'd like to mention (that |)|I want to say (that |)|I must tell you (that |)|let me add (that |)|I can tell you (that |)|I have to admit (that |)|it may interest you (that |))
(guess what(!|,|:)|fun fact:|little known fact:|random fact:|ok so|actually,|honestly,|well,|I think|to be honest,|tbh|truth is,|the truth is,|in fact,|basically,|obviously,|of course|you see,|y'know,|listen,|so yeah,|as you know,|as I said,|as I mentioned,|like I said,|just now,|these days|nowadays,|currently|right now)
(let me tell you(:|,| that)|did you know(,| that)|I forgot to say(:|,| that)|I never told you but|oh I forgot,|for context,|about me:|did I mention(,| that)|have I told you(,| that)|you don't know this but|I bet you don't know(,| that)|you may not know(,| that)|I don't think I told you, but|I suppose I should tell you(,| that))
(Trinity|trinity|hey Trinity|ok Trinity|dear bot|my dear Trinity|Hi Trinity, how are you?|Hello!|Hi!|Good morning!|Hi there.|Hey!|Good evening.|Hello again.|How are you?|Nice to see you.|Thanks!|Okay.|Let's talk.|Let's get to know each other.|Let me introduce myself.|I'm new here.|I'm back.|Nice day today.|I was thinking.|I've been thinking.|One thing about me.|You asked, so here it is.|Here we go.|So, about me.|Nice to meet you.|Hope you're well.)(,|||:)
"""
STATEMENT_ENDINGS = """
(, just so you know| in case you were wondering|, if you must know|, in case it matters|, as I said|, actually|, for what it's worth| for the time being|, I think|, I suppose|, I guess|. Just saying.|. Thought you should know.|. Got that?|. Got it?| and I'm proud of it| and always has been| and that won't change|, believe me|, trust me|, honestly|, seriously|, you see|, to be precise|, to be exact|. That's it.|. That's all.|. True story.|, if that helps|, in case you need it|, in case anyone asks|. How about you?|, just in case|, ok Trinity?|, as everyone knows|, of course|, no joke|, no kidding|, for your information|, for now|. Okay?|. Now you know.)
"""
MEMORY_ENDINGS = """
(. Remember that for later.|. I'll ask you later.|, so remember it|. Write that down.|. Make a note.|. Keep it in mind.|, and don't forget it|. I hope you remember that.|. Can you remember that?| - remember that| - please remember it|. Will you remember?|. You'll need it later.)
"""
QUESTION_ENDINGS = """
(, if you remember|, do you know?|, can you tell me?|, I forgot| if I may ask|? I forgot.|? Do you remember?|? I told you earlier.|? I mentioned it before.|? You should know.|? (I told you)| by any chance?|, bot?|, do you remember?|? I told you already.|, according to what I told you?|? Come on.|? Just checking.|? I'm testing you.|? Any idea?|? Can you remember?|? I can't recall.|? Do you still know it?|? Please answer.|? Think carefully.|? Be honest.|, can you recall?|? Let's see.|, if I told you?|, Trinity?|? Tell me.|? Thanks.|? Help me out.|... do you know?| do you think?|? I wonder.|? You know it, right?|, do you recall?|, quickly?|? Hurry up.|? I'm curious.|, please tell me|, remind me|? Answer me.)
"""
QUESTION_OPENINGS = """
(quick question|question|one question|a question|serious question|random question)(:|,| -)
(can|could|would|will) you (please |kindly |)(tell me|remind me|recall|tell us)(,|:|)
(do you (still |)(know|remember|recall)|any idea|remind me(,| please,|:)|tell me(,|:| please,|)|please tell me(,|:|)|let's see(,|:)|now|so|and|ok,|okay so|wait,|hold on,)
(I forgot|I can't remember|I don't remember|just checking|just to check|let me test you|test|quiz time|memory test|pop quiz)(,|:|...)
(Trinity|trinity|hey Trinity|ok Trinity)(,||:)
(I told you earlier.|Let's test your memory.|You should know this.|Earlier I told you something.|Thanks.|Great!|Hi again!|Hello!|One more thing.|Now a question.|I have a question.|Here's a question for you.|Good.|Nice.|Okay, now tell me:|All right, tell me:|Be honest:|Think back:|Think:|Let me ask you:|I'd like to know:|I want to know:|I wonder,|I'm curious,|May I ask,|Could I ask,|Help me out:|Answer this:|Try this:|Next question:|Memory check:|You know me.|You know this one:|If you remember,|If I told you,|Based on what I told you,|From what I told you,|From memory,|According to what I said,|Going back to what I said,|Earlier I told you,|As you may remember,|Say, )
(I'm testing you|I am testing your memory|this is a test|let's do a test|a test|let's play|tell us|answer me this|hm, let me think|lemme ask|pls tell me|plz|say now|ok tell me)(,|:|.|...)
"""
CLOSINGS = """
( please| thanks| thank you| lol| haha| xD| :D| <3| ok?| okay?| alright?|, please| pls| plz| mate| buddy|, Trinity| trinity|, bot)
"""
MEMORY_WORD = re.compile(
    r"remember|\bnote|keep|mind|forget|\bsave|\bstore|memo|write|down|record|register|later|learn", re.IGNORECASE
)
"""What may ask to remember something; left without slips, since it decides about an answer."""
AFTER_VALUE = re.compile("\x02[^,.;:!?\x00]*")
"""What follows a value without a stop between: with a slip nobody could tell where the value ends."""
KEYBOARD = {
    "a": "sq",
    "e": "wr",
    "i": "uo",
    "o": "ip",
    "n": "bm",
    "t": "ry",
    "s": "ad",
    "r": "et",
    "l": "k",
    "h": "gj",
    "u": "yi",
}


def marked(value: str) -> str:
    return f"\x01{value}\x02"


def plain(text: str) -> str:
    """The text without the marks around values."""
    return text.replace("\x01", "").replace("\x02", "")


def _typo(text: str, rng: random.Random) -> str:
    """One slip in a word of four letters or more, outside of values."""
    hidden = VALUE.sub(lambda m: "\x00" * (len(m[0]) - 1) + "\x02", text)
    hidden = AFTER_VALUE.sub(lambda m: "\x00" * len(m[0]), hidden)
    words = [word for word in re.finditer(r"[a-z]{4,}", hidden) if not MEMORY_WORD.search(word[0])]
    if not words:
        return text
    word = rng.choice(words)
    at = rng.randrange(word.start() + 1, word.end() - 1)
    slip = rng.random()
    if slip < 0.35:
        return text[:at] + text[at + 1 :]
    if slip < 0.6:
        return text[:at] + text[at] + text[at:]
    if slip < 0.85:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text[:at] + rng.choice(KEYBOARD.get(text[at], text[at])) + text[at + 1 :]


def _lower_first(text: str) -> str:
    if text[:2] in ("I ", "I'") or text[:1] == "\x01":
        return text
    return text[:1].lower() + text[1:]


def outside_values(text: str, change) -> str:
    """Applies a change to what lies between the values."""
    return "".join(part if at % 2 else change(part) for at, part in enumerate(re.split("(\x01.*?\x02)", text)))


CASUAL = (
    (r"\byou\b", "u"),
    (r"\byour\b", "ur"),
    (r"\bare\b", "r"),
    (r"\bplease\b", "pls"),
    (r"\bwhat is\b", "whats"),
    (r"\bWhat is\b", "whats"),
    (r"\bbecause\b", "cuz"),
    (r"\bto you\b", "to u"),
    (r"\bfavou?rite\b", "fav"),
    (r"\bI am\b", "im"),
    (r"\bI'm\b", "im"),
)


def _opening(kind: str, rng: random.Random) -> str:
    if kind == "statement":
        return draw(REMEMBER_OPENINGS if rng.random() < 0.2 else STATEMENT_OPENINGS, rng)
    return draw({"claim": STATEMENT_OPENINGS, "question": QUESTION_OPENINGS}.get(kind, OPENINGS), rng)


def _ending(kind: str, rng: random.Random) -> str:
    if kind == "question":
        return draw(QUESTION_ENDINGS, rng)
    return draw(MEMORY_ENDINGS if kind == "statement" and rng.random() < 0.3 else STATEMENT_ENDINGS, rng)


DROPPED = re.compile(
    r"^(I|I've|I have|I'm|I am|I was|We|We've|We have|My) (?=(live\b|living|lived|moved|relocated|work|working|employed|"
    r"born|raised|grew|from\b|originally|speak|drive|hate|love|like|enjoy|collect|study|got\b|been\b|come\b|turned|adopted|allergic|based|"
    r"named|called|bought|just|also|have\b|can't|don't|favou?rite|fav\b|birthday|hobby|job|dog|cat|name\b|saw|need|went|lost))",
    re.IGNORECASE,
)
"""The first word, which people leave out: "moved to ...", "born in ...", "favourite film is ..."."""


def add_noise(text: str, rng: random.Random, kind: str = "", *, lower: bool = False) -> str:
    """A drawn text as somebody might type it. `kind` is statement (something to remember), claim (a statement that tells
    nothing), question, or empty; marks around values stay in."""
    if kind in ("statement", "claim") and rng.random() < 0.06:
        text = DROPPED.sub("", text)
    roll = rng.random()
    if roll < 0.3:
        opening = _opening(kind if rng.random() < 0.65 else "", rng)
        text = f"{opening} {text[:1].upper() + text[1:] if opening.endswith(('.', '!')) and rng.random() < 0.7 else _lower_first(text)}"
    roll = rng.random()
    if roll < 0.10 and kind:
        text = text.rstrip("?.! ") + _ending(kind, rng)
    elif roll < 0.16:
        text = text.rstrip("?.! ") + draw(CLOSINGS, rng) + rng.choice(("", "", "?" if kind == "question" else "."))
    if rng.random() < 0.06:
        pattern, replacement = rng.choice(CASUAL)
        text = outside_values(text, lambda part: re.sub(pattern, replacement, part))
    if rng.random() < 0.08 and len(text) > 14:
        text = _typo(text, rng)
    return _case_and_punctuation(text, rng, lower)


def _case_and_punctuation(text: str, rng: random.Random, lower: bool) -> str:
    roll = rng.random()
    if lower or roll < 0.1:
        text = outside_values(text, str.lower)
    elif roll < 0.13:
        text = outside_values(text, str.upper)
    elif roll < 0.6:
        text = text[:1].upper() + text[1:]
    roll = rng.random()
    if roll < 0.2:
        text = text.rstrip("?.!")
    elif roll < 0.24:
        text = outside_values(text, lambda part: re.sub(r"(?<!^)'", "", part))
    elif roll < 0.27:
        text += rng.choice(("!", "!!", "??", "...", " :)", " 🙂", " !", " ?"))
    elif roll < 0.29:
        text = text.rstrip("?.!") + "?"
    return re.sub(" +", " ", text).strip()
