import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run_in_shell(code: str, redirection: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["/bin/sh", "-c", f'"$0" -c "$1" {redirection}', sys.executable, code],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_closed_streams_are_nowhere_and_no_file_takes_their_place() -> None:
    code = """
import os, sys
from bot.streams import mend_standard_streams
mend_standard_streams()
print("to nobody")
print("to nobody", file=sys.stderr)
sys.exit(0 if os.open(os.devnull, os.O_RDONLY) > 2 else 1)
"""

    ended = run_in_shell(code, "<&- >&- 2>&-")

    assert ended.returncode == 0


def test_letter_that_the_terminal_lacks_is_a_question_mark() -> None:
    code = "from bot.streams import mend_standard_streams as mend; mend(); print('caf' + chr(233) + chr(0x1F642))"

    ended = run_in_shell(code, "", PYTHONIOENCODING="latin-1", PYTHONCOERCECLOCALE="0")

    assert ended.stdout == b"caf\xe9?\n"
