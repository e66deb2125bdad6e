"""`trinity purge`: what is too old is deleted at once, by somebody who saw how much that is and by which date."""

from collections.abc import Callable
from datetime import datetime, timedelta

from bot.store.files.database import open_database, utc_now
from bot.store.rows.history import History


async def purge_older_than(
    url: str,
    days: int,
    tell: Callable[[str], None],
    confirm: Callable[[str], bool],
    clock: Callable[[], datetime] = utc_now,
) -> int:
    """Tell what is older than so many days and delete it if `confirm` says so; returns the exit status.

    That is 0 unless there is something to delete and nobody said yes: then 2.
    """
    now = clock()
    moment = now - timedelta(days=days)
    async with open_database(url) as database:
        history = History(database)
        due = await history.count_older_than(moment)
        tell(f"By this machine's clock it is {now:%Y-%m-%d %H:%M} UTC, and {days} days before that {moment:%Y-%m-%d}.")
        if not due:
            await history.delete_older_than(moment)  # what was seen and refused, and the hints
            tell("Nothing that was said is older.")
            return 0
        since = f", from {due.oldest:%Y-%m-%d} on" if due.oldest else ""
        tell(
            f"Older are {due.num_turns:,} turns of {due.num_conversations:,} conversations{since}, "
            f"{due.num_pins:,} pinned facts and {due.num_persona_changes:,} changes to personas."
        )
        if not confirm("Delete them for good?"):
            tell("Nothing was deleted. (--yes deletes without asking.)")
            return 2
        num_turns = await history.delete_older_than(moment)
        tell(f"{num_turns:,} turns were deleted.")
        return 0
