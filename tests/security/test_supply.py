"""What is shipped runs no foreign code, talks to nobody by itself, and is started with the least rights."""

import ast
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import bot
from bot.app import DEMO_MODEL
from bot.errors import ConfigError, DatabaseBusy, DiscordRefused, EngineUnavailable, TrinityError

ROOT = Path(bot.__file__).parents[1]
SOURCES = [path for folder in ("bot", "migrations") for path in sorted((ROOT / folder).rglob("*.py"))]
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "jinja2", "yaml"}
SANDBOXED = {
    "bot/inference/loading/render_template.py": {"jinja2", "from jinja2", "from jinja2.ext", "from jinja2.sandbox"},
}
"""A model's chat template is rendered in Jinja's sandbox, to find out which format it is; nothing else is."""
FORBIDDEN_CALLS = {
    *("eval", "exec", "compile", "__import__"),
    *("torch.load", "torch.jit.load", "torch.hub.load", "numpy.load", "np.load"),
    *("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"),
}
EXECUTING = {"text", "exec_driver_sql", "execute", "executemany", "executescript", "literal_column"}


def problems(source: str) -> Iterator[str]:
    """What in a source text could run foreign code or put SQL together."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.split(".")[0] in FORBIDDEN_MODULES)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in FORBIDDEN_MODULES:
            yield f"from {node.module}"
        if isinstance(node, ast.Call):
            yield from _problems_of_call(node)


def _problems_of_call(call: ast.Call) -> Iterator[str]:
    written = ast.unparse(call.func)
    if written in FORBIDDEN_CALLS:
        yield written
    for word in call.keywords:
        is_false = isinstance(word.value, ast.Constant) and word.value.value is False
        if word.arg in ("trust_remote_code", "shell", "allow_pickle") and not is_false:
            yield f"{written}({word.arg}=...)"
    if written.rpartition(".")[2] in EXECUTING and any(map(_is_built, call.args[:1])):
        yield f"{written} of a text that was put together"


def _is_built(node: ast.expr) -> bool:
    is_format = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format"
    return isinstance(node, ast.JoinedStr | ast.BinOp) or is_format


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_runs_foreign_code_or_puts_sql_together(path: Path) -> None:
    assert set(problems(path.read_text())) == SANDBOXED.get(str(path.relative_to(ROOT)), set())


@pytest.mark.parametrize(
    "source",
    [
        *("import pickle", "from pickle import loads", "import yaml", "torch.load(x)", "eval(x)", "os.system(x)"),
        *("f(trust_remote_code=True)", "f(trust_remote_code=flag)", "subprocess.run(x, shell=True)"),
        *('c.execute(f"SELECT {x}")', 'text("SELECT " + x)', 'c.exec_driver_sql("SELECT {}".format(x))'),
    ],
)
def test_such_a_line_would_be_found(source: str) -> None:
    assert len(list(problems(source))) == 1


# An audit hook hears of every socket that Python code opens, in all libraries.
LISTENING = """
    import sys
    def note(event, arguments):
        if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
            place = arguments[0] if event.startswith("socket.get") else arguments[1]
            print("NETWORK", event, place, file=sys.stderr)
    sys.addaudithook(note)
    from bot.__main__ import main
    main()
"""


@pytest.mark.slow
@pytest.mark.skipif(not (DEMO_MODEL / "model.safetensors").is_file(), reason="the demo model's weights are not there")
def test_a_chat_with_a_model_that_is_there_asks_no_network(tmp_path: Path) -> None:
    (tmp_path / "chat.py").write_text(textwrap.dedent(LISTENING))
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}

    ended = subprocess.run(
        [sys.executable, "chat.py", "chat"],
        env=environ, cwd=tmp_path, input="Hello!\n", capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip

    assert ended.returncode == 0, ended.stderr
    assert "Trinity: " in ended.stdout
    assert "NETWORK" not in ended.stderr


def test_an_attempt_would_be_heard(tmp_path: Path) -> None:
    code = textwrap.dedent(LISTENING).partition("from bot")[0] + "import socket\nsocket.getaddrinfo('localhost', 1)"

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    assert "NETWORK socket.getaddrinfo localhost" in ended.stderr


class Unit(dict[str, list[str]]):
    """A systemd unit's settings, each with all of its values."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        for line in path.read_text().splitlines():
            name, separator, value = line.partition("=")
            if separator and not line.startswith(("#", "[")):
                self.setdefault(name, []).extend(value.split())


UNIT = ROOT / "deploy" / "trinity.service"


def test_the_unit_restarts_after_everything_but_what_no_restart_mends() -> None:
    unit = Unit(UNIT)

    assert unit["Restart"] == ["on-failure"]
    assert unit["RestartPreventExitStatus"] == ["78"] == [str(ConfigError.exit_status)]
    assert DiscordRefused.exit_status == 78 != TrinityError.exit_status
    assert unit["Type"] == ["notify"]
    assert int(unit["WatchdogSec"][0]) > 2 * 30  # the pause before a restart in place may take that long
    assert int(unit["TimeoutStopSec"][0]) > 20  # TRINITY_DRAIN_SECONDS
    assert unit["UMask"] == ["0077"]
    assert unit["User"] == ["trinity"]
    assert unit["ProtectSystem"] == ["strict"]
    assert unit["CapabilityBoundingSet"] == []


def test_no_number_of_failed_starts_leaves_it_down_after_a_fault_that_passes() -> None:
    unit = Unit(UNIT)

    assert unit["StartLimitIntervalSec"] == ["0"]
    assert "StartLimitBurst" not in unit
    assert int(unit["RestartMaxDelaySec"][0]) == 300
    assert int(unit["RestartSec"][0]) >= 10
    assert not {str(DatabaseBusy.exit_status), str(EngineUnavailable.exit_status)} & set(
        unit["RestartPreventExitStatus"]
    )


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")
def test_systemd_rates_the_unit_below_3() -> None:
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=30", "--no-pager", str(UNIT)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    if "nrecognized option" in rated.stderr:
        pytest.skip("this systemd-analyze is too old to rate a file")
    print(rated.stdout.strip().splitlines()[-1])
    assert rated.returncode == 0, rated.stdout[-200:]
