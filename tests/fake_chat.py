"""A chat that answers with what it was asked, for tests of whatever shows a chat to somebody."""

import asyncio
import json
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from bot.chat.chat import Finished, TextDelta
from bot.chat.memory_desk import Copy
from bot.chat.pin_desk import PinnedFacts
from bot.chat.settings_desk import Origin, ShownSetting
from bot.conversation.channel_settings import SETTINGS, find_setting
from bot.conversation.persona import Persona
from bot.conversation.pins import Pin
from bot.errors import PinError, UnknownPersona, UserError
from bot.inference.engine import FinishReason


@dataclass
class FakePersonas:
    prompts: dict = field(default_factory=lambda: {"Trinity": "Your name is Trinity."})
    in_use: str = "Trinity"

    async def show(self, key):
        return Persona(self.in_use, self.prompts[self.in_use])

    async def list(self, key):
        return [Persona(name, prompt) for name, prompt in self.prompts.items()]

    async def use(self, key, name, by):
        if name not in self.prompts:
            raise UnknownPersona(f"There is no persona {name}.")
        self.in_use = name
        return await self.show(key)

    async def set(self, key, name, prompt, by):
        self.prompts[name] = prompt
        return Persona(name, prompt)

    async def delete(self, key, name, by):
        del self.prompts[name]

    async def clear(self, key, by):
        self.in_use = "Trinity"
        return await self.show(key)


@dataclass
class FakeSettings:
    values: dict = field(default_factory=dict)

    def show(self, key):
        return [self._shown(setting.name) for setting in SETTINGS]

    async def set(self, key, scope, name, text, by):
        self.values[name] = find_setting(name).kind.parse(text)
        return self._shown(name)

    async def clear(self, key, scope, name):
        self.values.pop(name, None)
        return self._shown(name)

    def _shown(self, name):
        value = self.values.get(name, "0.5")
        return ShownSetting(find_setting(name), str(value), Origin.HERE if name in self.values else Origin.DEFAULT)


@dataclass
class FakeMemory:
    """Copies what was heard, one line each."""

    chat: "FakeChat"

    async def copy(self, key, *, as_json):
        return Copy(json.dumps(self.chat.heard) if as_json else "\n".join(self.chat.heard), len(self.chat.heard), True)


@dataclass
class FakePins:
    """Keeps facts, at a token for each letter."""

    kept: list = field(default_factory=list)

    async def list(self, key):
        return PinnedFacts(tuple(self.kept), sum(len(pin.content) for pin in self.kept))

    async def add(self, key, person_id, person_name, text):
        number = max((pin.number for pin in self.kept), default=0) + 1
        self.kept.append(Pin(number, person_id, person_name, text, datetime.now(UTC)))
        return replace(await self.list(key), num_newest_tokens=len(text))

    async def forget(self, key, number, person_id, *, may_forget_others):
        found = [pin for pin in self.kept if pin.number == number]
        if not found:
            raise PinError(f"There is no number {number}.")
        self.kept.remove(found[0])
        return await self.list(key)


@dataclass
class FakeChat:
    """Keeps the questions since the last reset; answers with them, or as a test's script says."""

    script: dict = field(default_factory=dict)
    questions: list = field(default_factory=list)
    heard: list = field(default_factory=list)
    forgotten: list = field(default_factory=list)
    states: list = field(default_factory=list)
    calls: list = field(default_factory=list)
    personas: FakePersonas = field(default_factory=FakePersonas)
    settings: FakeSettings = field(default_factory=FakeSettings)
    pins: FakePins = field(default_factory=FakePins)
    open_questions: list = field(default_factory=list)
    is_stuck: bool = False
    """Whether a stop doesn't end an answer."""

    @property
    def memory(self):
        return FakeMemory(self)

    def open(self, question):
        return FakeExchange(self, question)

    async def resume(self, platform):
        return [FakeExchange(self, question) for question in self.open_questions]

    async def reply(self, question):
        self.heard.append(question.content)
        for event in self.script.get(question.content, [TextDelta("You said "), TextDelta(", ".join(self.heard))]):
            if isinstance(event, asyncio.Event):
                event.set()
                await asyncio.Event().wait()
            if isinstance(event, Exception):
                raise event
            yield event
        yield Finished(self.script.get("reason", FinishReason.STOP))

    async def last_turn(self, key):
        return self.questions[-1] if self.questions else None

    async def again(self, key, message_id, person_id):
        return self._anew("again", message_id)

    async def continue_answer(self, key, message_id, person_id):
        return self._anew("continue", message_id)

    def _anew(self, what, message_id):
        if not self.questions or self.questions[-1].message_id != message_id:
            raise UserError("There is no answer here.")
        self.calls.append((what, message_id))
        return FakeExchange(self, self.questions.pop(), previous="the old answer")

    async def reset(self, key):
        self.calls.append(("reset", key))
        self.forgotten, self.heard = self.heard, []

    async def undo_reset(self, key):
        if not self.forgotten:
            raise UserError("There is nothing to bring back.")
        self.heard, self.forgotten = [*self.forgotten, *self.heard], []


@dataclass
class FakeExchange:
    """What the chat says to one question."""

    chat: FakeChat
    question: object
    previous: str | None = None
    stopped: object = None
    finish_reason: FinishReason | None = None
    waiting: asyncio.Timeout | None = None

    def __post_init__(self):
        self.finish_reason = None if self.previous is None else FinishReason.STOP

    @property
    def can_stop(self):
        return self.stopped is None

    def stop(self, reason, *, keep):
        assert keep
        self.stopped = reason
        if self.waiting is not None and not self.chat.is_stuck:
            self.waiting.reschedule(0)

    async def __aenter__(self):
        if self.question not in self.chat.open_questions:
            self.chat.questions.append(self.question)
        return self

    async def __aexit__(self, *_):
        pass

    async def events(self):
        has_text = False
        async with aclosing(self.chat.reply(self.question)) as events:
            while self.stopped is None and (event := await self.next(events)) is not None:
                has_text = has_text or isinstance(event, TextDelta)
                if isinstance(event, Finished) and event.reason is not FinishReason.ABORTED:
                    self.finish_reason = event.reason
                yield event
        if self.stopped is not None:
            self.finish_reason = FinishReason.STOPPED if has_text else self.finish_reason
            yield Finished(FinishReason.STOPPED if has_text else FinishReason.ABORTED)

    async def next(self, events):
        try:
            async with asyncio.timeout(None) as self.waiting:
                return await anext(events, None)
        except TimeoutError:
            return None
        finally:
            self.waiting = None

    async def finish(self, state):
        self.chat.states.append((self.question.content, state))
