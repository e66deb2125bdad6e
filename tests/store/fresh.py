"""A new database without its migrations: a process runs those once, and copies the file from then on."""

from pathlib import Path

from bot.store.files.database import open_database

_made: list[bytes] = []


async def lay_database(file: Path) -> None:
    """Put an empty database of the newest schema at `file`, unless one is there already."""
    if _is_there(file):
        return
    if _made:
        _copy(file)
        return
    async with open_database(f"sqlite:///{file}"):
        pass
    _keep(file)


def _is_there(file: Path) -> bool:
    return file.exists()


def _keep(file: Path) -> None:
    _made.append(file.read_bytes())


def _copy(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_bytes(_made[0])
