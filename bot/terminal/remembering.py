"""What is remembered beyond what was said last, at the terminal: `/memory`, `/remember`, `/forget` and `/context`."""

from bot.chat.chat import Chat, Scope
from bot.conversation.messages import ConversationKey
from bot.errors import PinError
from bot.words import phrase

_USAGE = "/memory takes list, or mode with recall, summary or window."


async def follow(chat: Chat, key: ConversationKey, person: tuple[int, str], command: str, rest: str) -> str:
    """Follow one of the commands, used by a person of that id and name; returns what to say."""
    person_id, name = person
    match command:
        case "remember":
            return await _remember(chat, key, person_id, name, rest)
        case "forget":
            return await _forget(chat, key, person_id, rest)
        case "context":
            return await _context(chat, key, person_id, name)
        case _:
            return await _memory(chat, key, person_id, rest)


async def _memory(chat: Chat, key: ConversationKey, person_id: int, rest: str) -> str:
    action, mode = (*rest.split(maxsplit=1), "", "")[:2]
    match action.lower(), mode:
        case "list", "":
            facts = await chat.pins.list(key)
            if not facts.pins:
                return "Nothing is kept in mind here. /remember TEXT adds a fact."
            lines = [f"{pin.number}. {pin.content}" for pin in facts.pins]
            return "\n".join([*lines, f"Together they cost {facts.num_tokens:,} of {facts.limit:,} tokens."])
        case "mode", str(mode) if mode:
            shown = await chat.settings.set(key, Scope.CHANNEL, "memory", mode, person_id)
            return f"{shown.setting.name} is {shown.value} here."
        case _:
            return _USAGE


async def _remember(chat: Chat, key: ConversationKey, person_id: int, name: str, text: str) -> str:
    if not text:
        return "What? /remember TEXT, such as /remember My cat is called Rex."
    facts = await chat.pins.add(key, person_id, name, text)
    costs = f"It costs {facts.num_newest_tokens:,} tokens in every prompt; all together {facts.num_tokens:,}"
    return f"That is kept in mind as number {facts.pins[-1].number}. {costs} of {facts.limit:,}."


async def _forget(chat: Chat, key: ConversationKey, person_id: int, number: str) -> str:
    if not number:
        return "Which one? /forget N; /memory list shows their numbers."
    if not (number.isdecimal() and len(number) < 10):
        raise PinError(phrase("unknown_pin", number=number))
    left = await chat.pins.forget(key, int(number), person_id, may_forget_others=True)
    return f"Number {int(number)} is forgotten. What is left costs {left.num_tokens:,} of {left.limit:,} tokens."


async def _context(chat: Chat, key: ConversationKey, person_id: int, name: str) -> str:
    view = await chat.memory.context(key, person_id, name)
    costs = [f"{section} {cost:,}" for section, cost in view.use.num_section_tokens]
    turns = f"questions and answers ({len(view.use.turn_ids):,} of each) {view.use.num_turn_tokens:,}"
    rest = f"kept for the answer {view.num_answer_tokens:,}, free for your next question {view.use.num_free_tokens:,}"
    since = f" The oldest is from {view.oldest.asked_at.astimezone():%Y-%m-%d %H:%M}." if view.oldest else ""
    older = " Something older was said, and is not seen any more." if view.was_trimmed else ""
    return f"Of {view.num_window_tokens:,} tokens: {', '.join([*costs, turns, rest])}.{since}{older} {view.mode}"
