"""What differs between two readings of the settings, and which of it can be taken over by a bot that runs."""

from dataclasses import dataclass

from bot.settings.settings import Settings

_LIVE = frozenset({
    "temperature", "top_p", "top_k", "repetition_penalty", "seed", "default_persona", "log_level", "direct_messages",
    "turns_per_hour_person", "turns_per_hour_guild",
    *(f"{kind}_{of}" for kind in ("allowed", "blocked") for of in ("guilds", "channels", "roles", "users")),
})  # fmt: skip
"""What is read anew for each question, so that another value holds from the next one on."""
_NO_MATTER = frozenset({"allow_readable_env_file", "config"})
"""Says only how the others are read."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The names of what has changed. Values are in no log: one may be a token in the wrong line."""

    live: tuple[str, ...]
    """What can be taken over at once."""
    after_restart: tuple[str, ...]
    """What takes a restart."""

    def in_words(self) -> str:
        """One line for the log, and for who asked."""
        parts = []
        if self.live:
            parts.append(f"taken over: {', '.join(self.live)}")
        if self.after_restart:
            parts.append(f"takes a restart: {', '.join(self.after_restart)}")
        return "; ".join(parts) or "nothing has changed"


def changes_between(before: Settings, after: Settings) -> Changes:
    """What is another value in `after`."""
    changed = [name for name in Settings.model_fields if getattr(before, name) != getattr(after, name)]
    live = tuple(_called(name) for name in changed if name in _LIVE)
    rest = tuple(_called(name) for name in changed if name not in _LIVE and name not in _NO_MATTER)
    return Changes(live, rest)


def with_live(before: Settings, after: Settings) -> Settings:
    """`before` with what can be taken over of `after`: what holds once it was."""
    return before.model_copy(update={name: getattr(after, name) for name in _LIVE})


def _called(name: str) -> str:
    return str(Settings.model_fields[name].validation_alias)
