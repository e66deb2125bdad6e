"""A chat that answers with what it was asked, for tests of whatever shows a chat to somebody."""

import asyncio
from dataclasses import dataclass, field

from bot.chat.chat import Finished, TextDelta
from bot.conversation.persona import Persona
from bot.errors import UnknownPersona
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
    left_over: list = field(default_factory=list)

    async def unfinished(self, platform):
        return self.left_over

    async def receive(self, question):
        self.questions.append(question)

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

    async def finish(self, question, state):
        self.states.append((question.content, state))

    async def reset(self, key):
        self.calls.append(("reset", key))
        self.heard.clear()
