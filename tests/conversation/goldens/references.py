"""The ids that the vendors' own libraries make of the dialogues; run by `make`, in an environment with nothing else.

Prints a JSON object: for each format the ids of each dialogue. It takes the folder of SmolLM2's vocabulary and
template as its argument.
"""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from dialogues import dialogues

ZEPHYR_TEMPLATE = (
    "{% for message in messages %}\n{% if message['role'] == 'user' %}\n"
    "{{ '<|user|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'system' %}\n"
    "{{ '<|system|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n"
    "{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n"
    "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}"
)
"""What zephyr-7b-beta's tokenizer_config.json holds; on PyPI it isn't."""


def main() -> None:
    """Print the ids."""
    smollm2 = Path(sys.argv[1])
    found = {
        "llama-3": llama_3(),
        "chatml": chatml(smollm2),
        "mistral-v1": mistral(1),
        "mistral-v2": mistral(2),
        "mistral-v3": mistral(3),
        "zephyr": zephyr(),
        "vicuna": vicuna(),
    }
    print(json.dumps(found))


def messages(system: str, texts: list[str]) -> list[dict[str, str]]:
    """The dialogue as chat templates take it."""
    said = [{"role": "assistant" if index % 2 else "user", "content": text} for index, text in enumerate(texts)]
    return [{"role": "system", "content": system}, *said] if system else said


def llama_3() -> list[list[int]]:
    """Meta's own code: llama-models."""
    from models.datatypes import RawMessage
    from models.llama3.chat_format import ChatFormat
    from models.llama3.tokenizer import Tokenizer

    chat_format = ChatFormat(Tokenizer.get_instance())
    return [
        chat_format.encode_dialog_prompt([RawMessage(**each) for each in messages(*dialogue)]).tokens
        for dialogue in dialogues()
    ]


def mistral(version: int) -> list[list[int]]:
    """Mistral's own code: mistral-common, on SentencePiece."""
    from mistral_common.protocol.instruct.messages import AssistantMessage, SystemMessage, UserMessage
    from mistral_common.protocol.instruct.request import ChatCompletionRequest
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    kinds: dict[str, Any] = {"system": SystemMessage, "user": UserMessage, "assistant": AssistantMessage}
    tokenizer = {1: MistralTokenizer.v1, 2: MistralTokenizer.v2, 3: MistralTokenizer.v3}[version]()
    return [
        tokenizer.encode_chat_completion(
            ChatCompletionRequest(
                messages=[kinds[each["role"]](content=each["content"]) for each in messages(*dialogue)]
            )
        ).tokens
        for dialogue in dialogues()
    ]


def mistral_vocabulary() -> Any:
    """Mistral's first vocabulary, which is Zephyr's, as transformers reads it with SentencePiece."""
    import mistral_common
    from transformers import LlamaTokenizer

    file = Path(mistral_common.__file__).parent / "data" / "tokenizer.model.v1"
    return LlamaTokenizer(str(file), legacy=True, clean_up_tokenization_spaces=False)


def zephyr() -> list[list[int]]:
    """Zephyr's template, rendered and encoded as its model card does."""
    tokenizer = mistral_vocabulary()
    tokenizer.chat_template = ZEPHYR_TEMPLATE
    return [
        tokenizer(tokenizer.apply_chat_template(messages(*each), tokenize=False, add_generation_prompt=True)).input_ids
        for each in dialogues()
    ]


def vicuna() -> list[list[int]]:
    """FastChat's own code, with Mistral's vocabulary: Llama-2's is on no package index."""
    from fastchat.conversation import get_conv_template

    tokenizer = mistral_vocabulary()
    found = []
    for system, texts in dialogues():
        conversation = get_conv_template("vicuna_v1.1")
        if system:
            conversation.set_system_message(system)
        for index, text in enumerate(texts):
            conversation.append_message(conversation.roles[index % 2], text)
        conversation.append_message(conversation.roles[1], None)
        found.append(tokenizer(conversation.get_prompt()).input_ids)
    return found


def chatml(folder: Path) -> list[list[int]]:
    """SmolLM2's template, rendered by transformers and encoded at once, control tokens recognised."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    tokenizer.chat_template = json.loads((folder / "tokenizer_config.json").read_text())["chat_template"]
    return [
        tokenizer(
            tokenizer.apply_chat_template(messages(*each), tokenize=False, add_generation_prompt=True),
            add_special_tokens=False,
        ).input_ids
        for each in dialogues()
    ]


if __name__ == "__main__":
    main()
