"""Whether files are where they have to be, for their owner alone, and whether there is room."""

import os
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from bot.doctor.finding import Finding, Topic

TOPIC = Topic("files")
_GIB = 1024**3
_LEAST_FREE_BYTES = 1 * _GIB
_OTHERS = 0o077


def look_at_files(data_dir: Path, named: list[Path]) -> list[Finding]:
    """The data folder and what is in it, and other files with settings or secrets (`named`)."""
    return [*_folder(data_dir), *_modes(data_dir, named), *_room(data_dir), *_names()]


def nearest(path: Path) -> Path:
    """`path`, or the nearest folder above it that is there."""
    return next(place for place in (path.absolute(), *path.absolute().parents) if os.path.lexists(place))


def _folder(folder: Path) -> Iterator[Finding]:
    place = nearest(folder)
    if not os.access(place, os.W_OK | os.X_OK):
        yield TOPIC.bad(f"nothing can be written into {place}", f"chmod u+rwx {place}, or another TRINITY_DATA_DIR")
    elif place == folder.absolute():
        yield TOPIC.ok(f"the data folder is {place}")
    else:
        yield TOPIC.ok(f"the data folder {folder.absolute()} is made at the first start")


def _modes(folder: Path, named: list[Path]) -> Iterator[Finding]:
    ours = [folder, *sorted(folder.iterdir())] if os.access(folder, os.R_OK | os.X_OK) else []
    open_ones = [path for path in (*named, *ours) if _is_seen(path) and stat.S_IMODE(path.stat().st_mode) & _OTHERS]
    for path in open_ones:
        yield TOPIC.note(f"{path} can be read by others", f"chmod {'700' if path.is_dir() else '600'} {path}")
    foreign = [path for path in ours if _is_seen(path) and path.stat().st_uid != os.getuid()]
    for path in foreign:
        yield TOPIC.bad(f"{path} belongs to another user", f"sudo chown {os.getuid()} {path}, or run as its owner")
    if ours and not open_ones and not foreign:
        yield TOPIC.ok("they are for their owner alone")


def _is_seen(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110 - pathlib's raises where we may not look


def _room(folder: Path) -> Iterator[Finding]:
    place = nearest(folder)
    free = shutil.disk_usage(place).free
    said = f"{free / _GIB:.1f} GiB are free for the database in {place}"
    yield (TOPIC.ok(said) if free >= _LEAST_FREE_BYTES else TOPIC.bad(said, "make room, or set TRINITY_DATA_DIR"))


def _names() -> Iterator[Finding]:
    """Python reads and writes names and texts by the locale; in one without letters, people's names get lost."""
    encoding = sys.getfilesystemencoding().lower()
    if encoding not in ("utf-8", "utf8"):
        yield TOPIC.bad(f"this locale's encoding is {encoding}", "set LC_ALL=C.UTF-8, or PYTHONUTF8=1")
