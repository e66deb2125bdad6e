"""Whether this Python, and the packages in it, are those that Trinity was tested with."""

import platform
import sys
from collections.abc import Iterator
from importlib import metadata

from bot import __version__
from bot.doctor.finding import Finding, Topic

TOPIC = Topic("installation")
_DISTRIBUTION = "trinity-bot"
_OLDEST, _NEWEST = (3, 11), (3, 14)


def look_at_installation(*, needs_postgresql: bool) -> list[Finding]:
    """Python's version, and each package that `pyproject.toml` asks for; reads what is installed, imports nothing."""
    return [_python(), *_packages(needs_postgresql)]


def _python() -> Finding:
    said = f"Trinity {__version__} on Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    if not _OLDEST <= sys.version_info[:2] <= _NEWEST:
        return TOPIC.bad(said, "install Python 3.11 to 3.14, then: make run PYTHON=python3.13")
    return TOPIC.ok(said)


def _packages(needs_postgresql: bool) -> Iterator[Finding]:
    from packaging.requirements import Requirement  # noqa: PLC0415 - it comes with the hub's library

    try:
        wanted = [Requirement(line) for line in metadata.requires(_DISTRIBUTION) or ()]
    except metadata.PackageNotFoundError:
        yield TOPIC.unknown("Trinity isn't installed as a package, so nothing says which others it needs", "make run")
        return
    extras = {"extra": "postgres" if needs_postgresql else ""}
    wanted = [each for each in wanted if each.marker is None or each.marker.evaluate(extras)]
    problems = [problem for each in wanted if (problem := _problem(each.name, each.specifier))]
    for problem in problems:
        yield TOPIC.bad(problem, "install again: make run, or pip install -c constraints.txt .")
    if not problems:
        yield TOPIC.ok(f"{len(wanted)} packages in the versions that it works with")


def _problem(name: str, wanted: object) -> str:
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"the package {name} is missing"
    return "" if version in wanted else f"{name} {version} is installed, and Trinity works with {wanted}"  # type: ignore[operator]
