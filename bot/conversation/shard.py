"""A shard: one of the equal parts into which Discord divides a bot's guilds, each with a connection of its own."""

from dataclasses import dataclass

_TIME_BITS = 22
"""What lies above these bits of an id is the time at which it was made; Discord divides guilds by it."""


@dataclass(frozen=True, slots=True)
class Shard:
    """The part `id` of `count`; direct messages come to part 0."""

    id: int
    count: int

    def has(self, guild_id: int | None) -> bool:
        """Whether what happens in a guild, or (None) in direct messages, comes to this part."""
        return ((guild_id or 0) >> _TIME_BITS) % self.count == self.id


WHOLE = Shard(0, 1)
"""All guilds and direct messages."""
