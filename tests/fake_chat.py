"""A chat that answers with what it was asked, for tests of whatever shows a chat to somebody."""

import asyncio
from dataclasses import dataclass, field

from bot.chat.chat import Finished, TextDelta
from bot.conversation.persona import Persona
from bot.errors import UnknownPersona, UserError
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
class FakeChat:
    """Keeps the questions since the last reset; answers with them, or as a test's script says."""

    script: dict = field(default_factory=dict)
    questions: list = field(default_factory=list)
    heard: list = field(default_factory=list)
    states: list = field(default_factory=list)
    calls: list = field(default_factory=list)
    personas: FakePersonas = field(default_factory=FakePersonas)
    open_questions: list = field(default_factory=list)

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
        self.heard.clear()


@dataclass
class FakeExchange:
    """What the chat says to one question."""

    chat: FakeChat
    question: object
    previous: str | None = None

    async def __aenter__(self):
        if self.question not in self.chat.open_questions:
            self.chat.questions.append(self.question)
        return self

    async def __aexit__(self, *_):
        pass

    def events(self):
        return self.chat.reply(self.question)

    async def finish(self, state):
        self.chat.states.append((self.question.content, state))
