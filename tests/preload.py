"""Small C libraries that are loaded before libc (LD_PRELOAD): for what can't be tried from inside a process."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def build_preload(source: Path, folder: Path) -> Path:
    """Compile a library into `folder`; where that isn't possible the test is skipped, and says why."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip(f"{source.name} can't be tried here: it takes Linux and a C compiler")
    library = folder / f"{source.stem}.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl", "-lpthread"]
    compiled = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    if compiled.returncode:
        pytest.skip(f"{source.name} doesn't compile here (it takes glibc): {compiled.stderr[-500:]}")
    return library
