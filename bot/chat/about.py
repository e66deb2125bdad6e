"""What the bot says of itself when it is asked: its version, its model and that model's licence, what it keeps."""

from dataclasses import dataclass

LLAMA_2_NOTICE = (
    "Llama 2 is licensed under the LLAMA 2 Community License, Copyright (c) Meta Platforms, Inc. All Rights Reserved."
)
"""What the licence of Llama 2 asks whoever passes it on to say."""
_LLAMA_3_NOTICE = (
    "Built with Llama. {name} is licensed under the {licence} Community License, Copyright © Meta Platforms, Inc. All "
    "Rights Reserved."
)
_LLAMA_3_LICENCES = {
    "llama33": ("Llama 3.3", "Llama 3.3"),
    "llama32": ("Llama 3.2", "Llama 3.2"),
    "llama31": ("Llama 3.1", "Llama 3.1"),
    "llama3": ("Meta Llama 3", "Meta Llama 3"),
}


@dataclass(frozen=True, slots=True)
class About:
    """What differs from one installation to the next.

    Args:
        model: the model's name as the operator wrote it; None is the one that comes with the package.
        retention_days: how long what was said is kept; None is until somebody deletes it.
        source_url: where the program's source can be had; None where that isn't known.
    """

    model: str | None = None
    retention_days: int | None = None
    source_url: str | None = None

    @property
    def model_name(self) -> str | None:
        """The model's name without where it lies on this machine's disk."""
        return None if self.model is None else "/".join(self.model.rstrip("/").split("/")[-2:]).removeprefix("/")

    @property
    def model_notice(self) -> str | None:
        """The notice that the model's licence asks for; None where none is known."""
        name = "".join(character for character in (self.model or "").lower() if character.isalnum())
        if "llama2" in name:
            return LLAMA_2_NOTICE
        found = next((words for part, words in _LLAMA_3_LICENCES.items() if part in name), None)
        return None if found is None else _LLAMA_3_NOTICE.format(name=found[0], licence=found[1])
