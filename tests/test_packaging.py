"""What a clone or a wheel brings along, and that `make` gets from nothing to a start."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

import bot
from bot.errors import ConfigError
from bot.inference.loading.build import settle_device
from bot.inference.loading.config import read_shape
from tests.screens import terminal_with

ROOT = Path(bot.__file__).parents[1]
SOURCES = sorted((ROOT / "bot").rglob("*.py"))
MAX_WHEEL_BYTES = 20 * 1024 * 1024


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    return Path(next(WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])))


def run(*command, cwd, seconds=100, **environ):
    foreign = ("TRINITY_", "PYTHON", "MAKE", "MFLAGS", "COV")  # of the `make test` that runs this, among others
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return subprocess.run(
        command,
        cwd=cwd,
        env=kept | environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def test_wheel_holds_the_package_its_migrations_and_its_licence(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())

    files = {path.relative_to(ROOT) for path in (ROOT / "bot").rglob("*") if path.is_file()}
    package = {str(file) for file in files if "__pycache__" not in file.parts}
    assert package <= names
    assert {"bot/_migrations/env.py", "bot/py.typed", "bot/demo_model/__init__.py"} <= names
    assert any(name.startswith("bot/_migrations/versions/") for name in names)
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def test_wheel_leaves_the_training_and_everybodys_files_out(wheel):
    names = zipfile.ZipFile(wheel).namelist()

    assert not [name for name in names if re.search(r"training|tests?/|\.env|\.pyc|\.db|data/", name)]
    assert wheel.stat().st_size < MAX_WHEEL_BYTES


def test_wheel_runs_away_from_the_checkout(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")

    ended = run(sys.executable, "-m", "bot", "migrate", cwd=tmp_path, PYTHONPATH=str(tmp_path / "site"))

    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "data" / "trinity.db").exists()


@pytest.mark.soak
@pytest.mark.parametrize("installer", ["uv", "pipx"])
def test_wheel_puts_the_command_on_the_path(wheel, tmp_path, installer):
    links = run(sys.executable, "-m", "pip", "config", "get", "global.find-links", cwd=tmp_path).stdout.strip()
    environ = {
        "UV_TOOL_DIR": str(tmp_path / "tools"),
        "UV_TOOL_BIN_DIR": str(tmp_path / "bin"),
        "PIPX_HOME": str(tmp_path / "tools"),
        "PIPX_BIN_DIR": str(tmp_path / "bin"),
        "UV_FIND_LINKS": links,
    }
    constraints = str(ROOT / "constraints.txt")
    uv = (sys.executable, "-m", "uv", "tool")
    commands = {
        "uv": (*uv, "install", "--python", sys.executable, "-c", constraints, str(wheel)),
        "pipx": (*uv, "run", "pipx", "install", "--python", sys.executable, f"--pip-args=-c {constraints}", str(wheel)),
    }

    installed = run(*commands[installer], cwd=tmp_path, seconds=900, **environ)
    command = str(tmp_path / "bin" / "trinity")
    shown = run(command, "--version", cwd=tmp_path)
    migrated = run(command, "migrate", cwd=tmp_path)
    looked = run(command, "doctor", "--json", cwd=tmp_path, seconds=300)

    assert installed.returncode == 0, installed.stderr
    assert (shown.returncode, migrated.returncode) == (0, 0)
    assert shown.stdout.startswith("trinity ")
    assert (tmp_path / "data" / "trinity.db").exists()
    assert looked.returncode == 0, looked.stdout + looked.stderr
    assert json.loads(looked.stdout)["is_ready"]


def test_every_dependency_has_a_tested_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    pinned = {
        re.split(r"==", line)[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if not line.startswith("#")
    }

    names = {re.split(r"[\[<>=~!]", name)[0].lower().replace("_", "-") for name in wanted}
    # Each build of torch for CUDA wants a triton of its own.
    assert names - {"triton"} <= pinned


def calls(tree):
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_in_the_package_runs_code_out_of_a_model_folder(path):
    tree = ast.parse(path.read_text())

    for call in calls(tree):
        written = ast.unparse(call.func)
        assert written not in ("torch.load", "pickle.load", "pickle.loads", "eval", "exec"), written
        trusted = [word for word in call.keywords if word.arg == "trust_remote_code"]
        assert all(isinstance(word.value, ast.Constant) and word.value.value is False for word in trusted)
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert not imported & {"pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}


@pytest.mark.parametrize("path", sorted((ROOT / "bot" / "store").rglob("*.py")), ids=lambda path: path.name)
def test_no_sql_is_put_together_from_text(path):
    for call in calls(ast.parse(path.read_text())):
        if ast.unparse(call.func).rpartition(".")[2] in ("text", "exec_driver_sql", "execute", "executescript"):
            assert not any(isinstance(argument, ast.JoinedStr | ast.BinOp) for argument in call.args[:1]), (
                f"{path.name}:{call.lineno}"
            )


@pytest.fixture
def checkout(tmp_path):
    """A copy of what `make run` needs to set itself up, in a folder with a blank in its name."""
    folder = tmp_path / "a clone"
    (folder / "deploy").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "deploy/make-venv.sh"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def fake_python(folder, *, version, modules="venv ensurepip"):
    """A python that knows its version and which modules it has, and makes a .venv of itself."""
    path = folder / "fake python"
    path.write_text(
        f"""#!/bin/sh
echo "$*" >>"{folder}/calls"
case "$*" in
    -V) echo "Python {version}" ;;
    *version_info*) exec "{sys.executable}" -c "import sys; sys.version_info = {tuple(map(int, version.split(".")))}
${{2#import sys; }}" ;;
    "-c import ensurepip, venv") for module in ensurepip venv; do
        case " {modules} " in *" $module "*) ;; *) exit 1 ;; esac; done ;;
    "-m venv --clear .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    *"pip install"*) while [ -e "{folder}/slow" ]; do sleep 0.05; done; [ ! -e "{folder}/offline" ] ;;
    "-m uv --version" | "-m pip config"* | "-c import torch") exit 1 ;;
    "-m bot"*) echo started ;;
    "-m pytest"*) echo tested ;;
esac
"""
    )
    path.chmod(0o755)
    return str(path)


def test_make_run_sets_up_once_and_then_only_starts(checkout):
    python = fake_python(checkout, version="3.12.1")

    first = run("make", "run", cwd=checkout, PYTHON=python)
    calls_of_first = (checkout / "calls").read_text()
    second = run("make", "run", cwd=checkout, PYTHON=python)

    assert first.returncode == second.returncode == 0, first.stderr
    assert first.stdout == second.stdout == "started\n"
    assert "Installing Trinity" in first.stderr
    assert "uv pip install" in calls_of_first
    assert second.stderr == ""
    assert "install" not in (checkout / "calls").read_text()[len(calls_of_first) :]


def test_make_test_installs_the_tools_too_and_make_run_is_then_ready(checkout):
    python = fake_python(checkout, version="3.11.7")

    tested = run("make", "test", cwd=checkout, PYTHON=python)
    started = run("make", "run", cwd=checkout, PYTHON=python)

    assert tested.stdout == "tested\n"
    assert "-e .[dev]" in (checkout / "calls").read_text()
    assert (started.stdout, started.stderr) == ("started\n", "")


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_changed_dependencies_are_installed_again(checkout, name):
    python = fake_python(checkout, version="3.11.7")
    run("make", "run", cwd=checkout, PYTHON=python)

    with (checkout / name).open("a") as file:
        file.write("# changed\n")
    again = run("make", "run", cwd=checkout, PYTHON=python)

    assert "Installing Trinity" in again.stderr


def test_broken_install_is_tried_again(checkout):
    python = fake_python(checkout, version="3.11.7")
    (checkout / "offline").touch()

    failed = run("make", "run", cwd=checkout, PYTHON=python)
    (checkout / "offline").unlink()
    mended = run("make", "run", cwd=checkout, PYTHON=python)

    assert failed.returncode != 0
    assert failed.stdout == ""
    assert (mended.returncode, mended.stdout) == (0, "started\n")


def test_an_install_that_takes_long_gives_a_sign_of_life(checkout):
    python = fake_python(checkout, version="3.11.7")
    (checkout / "slow").touch()
    shown = []

    command = ("make", "run", f"PYTHON={python}")
    # Under another make it would name the folder that it works in.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")} | {"BEAT_SECONDS": "1"}
    with subprocess.Popen(command, cwd=checkout, env=environ, text=True, stdout=-1, stderr=-1) as making:
        while "still at it after 2 s" not in "".join(shown):
            shown.append(making.stderr.readline())
        (checkout / "slow").unlink()
        started, rest = making.communicate(timeout=100)

    assert [line for line in shown if "..." not in line] == [
        "Installing Trinity into .venv (once: a minute, or several on a slow machine; later calls only start).\n",
        "Making .venv with Python 3.11.7\n",
        "Getting uv\n",
    ]
    assert rest.endswith("Getting PyTorch and the other packages\nInstalled.\n")
    assert started == "started\n"


def test_at_a_terminal_the_installer_shows_its_own_progress(checkout):
    python = fake_python(checkout, version="3.11.7")

    with terminal_with("make", "-C", str(checkout), "run", f"PYTHON={python}", MAKEFLAGS="") as terminal:
        terminal.wait_for("^started$")

    installed = [call for call in (checkout / "calls").read_text().splitlines() if "uv pip install" in call]
    assert len(installed) == 1
    assert "--quiet" not in installed[0]


BLOCKS = re.compile(r"^ *```sh\n(?P<lines>.*?)^ *```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", ["README.md", "docs/operations.md"])
def test_every_line_to_be_typed_names_the_command_by_its_place(name):
    for block in BLOCKS.finditer((ROOT / name).read_text(encoding="utf-8")):
        if "trinity() {" not in block["lines"]:
            assert not re.search(r"(^|&& |; )trinity ", block["lines"], re.MULTILINE), block["lines"]


def test_what_isnt_there_yet_is_said_and_refused(tmp_path):
    said = (ROOT / "README.md").read_text(encoding="utf-8").partition("## What it doesn't do (yet)")[2]
    section = said.partition("\n## ")[0]

    assert all(
        word in section
        for word in ("GGUF", "AWQ", "Cards with 6 GB", "Several cards", "AMD", "Ollama", "Mixtral", "Windows")
    )
    quantised = {"architectures": ["LlamaForCausalLM"], "quantization_config": {"quant_method": "awq"}}
    for config, word in ((quantised, "quantised"), ({"architectures": ["GemmaForCausalLM"]}, "GemmaForCausalLM")):
        (tmp_path / "config.json").write_text(json.dumps(config))
        with pytest.raises(ConfigError, match=word):
            read_shape(tmp_path)
    for device in ("cuda:0,1", "rocm", "mps", "xpu"):
        with pytest.raises(ConfigError, match="TRINITY_DEVICE"):
            settle_device(device)


@pytest.mark.parametrize("version", ["3.10.9", "3.15.0"])
def test_unsupported_python_is_named_with_what_to_do(checkout, version):
    python = fake_python(checkout, version=version)

    ended = run("make", "run", cwd=checkout, PYTHON=python)

    assert ended.returncode != 0
    assert f"Trinity needs Python 3.11 to 3.14, and {python} is Python {version}." in ended.stderr
    assert "make run PYTHON=" in ended.stderr
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize("modules", ["venv", "ensurepip"])
def test_missing_venv_module_is_named_with_the_command_that_mends_it(checkout, modules):
    python = fake_python(checkout, version="3.11.2", modules=modules)

    ended = run("make", "test", cwd=checkout, PYTHON=python)

    assert ended.returncode != 0
    assert "sudo apt-get install python3-venv" in ended.stderr


def test_missing_python_is_named(checkout):
    ended = run("make", "run", cwd=checkout, PYTHON="/nowhere/python3")

    assert ended.returncode != 0
    assert "/nowhere/python3 is not there" in ended.stderr


def test_ci_runs_the_tests_and_the_checks():
    script = (ROOT / ".ci" / "run").read_text()

    assert "make test " in script
    assert "make test-slow " in script
    assert "make lint" in script
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
