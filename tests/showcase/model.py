"""The demonstration model for pictures, and what it said: with that on record, the same can be played without torch."""

import contextlib
import hashlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import bot.demo_model
from bot.conversation.chat_format import TurnEncoder
from bot.conversation.tokenizer import load_tokenizer
from bot.inference.engine import Delta, Engine, Request
from tests.engines import EchoEngine

FOLDER = Path(bot.demo_model.__file__).parent
RECORD = Path(__file__).parent / "answers.json"


class NotOnRecordError(Exception):
    """The model was asked what it wasn't asked when the pictures were drawn."""


@dataclass(eq=False)
class RecordedModel(EchoEngine):
    """Says what is on record for a prompt and its sampling; else asks `model` and records that, where there is one.

    Without a model it goes on with a question mark, and keeps what it was asked.
    """

    record: dict[str, str] = field(default_factory=dict)
    model: Engine | None = None
    said: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.answer = lambda request: self.said[_name_of(request)]

    async def generate(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Stream the answer, as the class says."""
        name = _name_of(request)
        if name in self.record:
            self.said[name] = self.record[name]
        elif self.model is not None:
            self.said[name] = "".join([delta.text async for delta in self.model.generate(request)])
        else:
            self.unknown.append(name)
            self.said[name] = "?"
        async for delta in super().generate(request):
            yield delta

    @property
    def held(self) -> str:
        """What may be seen of the newest answer before the gate is set."""
        newest = next(reversed(self.said.values()))
        return " ".join(newest.split(" ")[: self.words_before_gate]).strip()


def load_record() -> dict[str, str]:
    """What was said when the pictures were drawn."""
    record: dict[str, str] = json.loads(RECORD.read_text(encoding="utf-8"))
    return record


def save_record(said: dict[str, str]) -> None:
    """Keep it."""
    RECORD.write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def demo_encoder() -> TurnEncoder:
    """The demonstration model's own tokens."""
    return TurnEncoder(load_tokenizer(FOLDER))


@contextlib.asynccontextmanager
async def open_demo_model() -> AsyncIterator[Engine]:
    """The model itself, on the CPU; imports torch."""
    from bot.inference.loading.build import build_runner
    from bot.inference.local import open_local_engine
    from bot.inference.messages import LoadedModel

    def load(_report: object) -> LoadedModel:
        runner = build_runner(FOLDER, "cpu", max_num_sequences=1)
        return LoadedModel(runner, load_tokenizer(FOLDER), runner.model_hash)

    async with open_local_engine(load) as engine:
        yield engine


def _name_of(request: Request) -> str:
    """The same for the same prompt, sampled in the same way; the seed counts only where there is something to draw."""
    sampling = asdict(request.sampling)
    if not sampling["temperature"]:
        sampling = {"max_new_tokens": sampling["max_new_tokens"]}
    asked = json.dumps([request.prompt_token_ids, sampling], default=str)
    return hashlib.sha256(asked.encode()).hexdigest()[:16]
