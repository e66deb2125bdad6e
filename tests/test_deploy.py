"""What lies in deploy/: as far as it can be tried without Docker, a card or root."""

import http.server
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

import bot
from bot.settings.settings import Settings, setting_names

ROOT = Path(bot.__file__).parents[1]
DEPLOY = ROOT / "deploy"
BASE_IMAGE = os.environ.get("BASE_IMAGE", "")
UNIT = DEPLOY / "trinity.service"
COMPOSE_FILES = sorted(DEPLOY.glob("compose*.yaml"))
LINES = re.sub(r"\\\n\s*", "", (DEPLOY / "Dockerfile").read_text()).splitlines()
INSTRUCTIONS = [line.split(maxsplit=1) for line in LINES if line.strip() and not line.startswith("#")]


def stages():
    """The instructions of each stage, with those of the stages that it is built on before them."""
    found, current = {}, []
    for word, rest in INSTRUCTIONS:
        if word == "FROM":
            image, _, name = rest.split()
            current = found[name] = list(found.get(image, [["FROM", image]]))
        else:
            current.append([word, rest])
    return found


def services(file):
    return yaml.safe_load(file.read_text())["services"]


def ours(file):
    return [service for service in services(file).values() if "build" in service]


def last(instructions, word):
    return [rest for each, rest in instructions if each == word][-1]


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_an_image_runs_the_daemon_as_a_user_of_its_own(target):
    stage = stages()[target]

    assert last(stage, "USER") == "trinity"
    assert json.loads(last(stage, "ENTRYPOINT")) == ["tini", "--", "trinity"]
    assert json.loads(last(stage, "CMD")) == ["run"]
    assert last(stage, "STOPSIGNAL") == "SIGTERM"
    assert json.loads(last(stage, "VOLUME")) == ["/var/lib/trinity", "/var/cache/trinity"]


def test_an_image_is_made_of_what_was_tested_together():
    installs = [rest for word, rest in INSTRUCTIONS if word == "RUN" and "pip install" in rest]
    foreign = {rest.split()[0] for word, rest in INSTRUCTIONS if word == "FROM"} - stages().keys()

    assert len(installs) == 2
    assert all("-c constraints.txt" in install and "'.[postgres]'" in install for install in installs)
    assert foreign == {"${BASE}"}
    assert any(line.startswith("ARG BASE=docker.io/library/debian:12") for line in LINES)


def test_no_setting_of_an_image_is_unknown():
    words = " ".join(rest for word, rest in INSTRUCTIONS if word == "ENV")

    assert set(re.findall(r"\bTRINITY_\w+", words)) <= set(setting_names())


def test_an_image_gets_its_files_and_nothing_of_ours():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = [line[1:] for line in ignored if line.startswith("!")]
    copied = {
        source for word, rest in INSTRUCTIONS if word == "COPY" and "--from" not in rest for source in rest.split()[:-1]
    }

    assert "*" in ignored
    assert copied == set(let_in)
    assert all((ROOT / name).exists() for name in let_in)
    assert not any(fnmatch(name, pattern) for name in (".env", "data", ".git", "deploy") for pattern in let_in)


class Answers(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_GET(self):
        self.send_response(self.status if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_the_health_check_asks_the_operations_address():
    (health,) = {json.loads(rest.partition("CMD ")[2])[2] for word, rest in INSTRUCTIONS if word == "HEALTHCHECK"}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def is_healthy(address):
        environ = {"TRINITY_OPERATIONS_ADDRESS": address, "HTTP_PROXY": "http://127.0.0.1:1"}
        ended = subprocess.run([sys.executable, "-S", "-c", health], env=environ, capture_output=True, check=False)
        return ended.returncode == 0

    well = [is_healthy(f"{host}:{server.server_port}") for host in ("0.0.0.0", "LOCALHOST", '"127.0.0.1')]
    Answers.status = 503
    ill = is_healthy(f"127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()

    assert (well, ill) == ([True, True, True], False)
    assert [is_healthy(off) for off in ("off", "Off", "")] == [True, True, True]
    assert f"'{Settings.model_fields['operations_address'].default}'" in health


@pytest.mark.parametrize("file", COMPOSE_FILES, ids=lambda file: file.name)
def test_the_bots_token_is_given_to_the_bot_alone(file):
    others = [service for service in services(file).values() if service not in ours(file)]

    assert not [service for service in others if "env_file" in service]
    assert "DISCORD" not in str(others)


@pytest.mark.parametrize("file", COMPOSE_FILES, ids=lambda file: file.name)
def test_a_compose_file_runs_an_image_that_there_is_with_no_rights_to_spare(file):
    (service,) = ours(file)

    assert service["build"] == {
        "context": "..",
        "dockerfile": "deploy/Dockerfile",
        "target": service["build"]["target"],
    }
    assert service["build"]["target"] in stages()
    assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
    assert service["read_only"] is True
    assert int(service["stop_grace_period"].removesuffix("s")) > Settings.model_fields["drain_seconds"].default
    assert service["restart"] == "on-failure"
    assert set(service.get("environment", {})) <= set(setting_names())
    volumes = [volume for volume in service["volumes"] if isinstance(volume, str)]
    mounted = {volume.partition(":")[2] or volume for volume in volumes}
    assert mounted == set(json.loads(last(stages()["run"], "VOLUME")))
    everybodys = [volume for each in services(file).values() for volume in each["volumes"]]
    named = {volume.partition(":")[0] for volume in everybodys if isinstance(volume, str) and ":" in volume}
    assert named == set(yaml.safe_load(file.read_text())["volumes"])


def test_what_was_never_run_says_so_in_its_first_line():
    assert (DEPLOY / "Dockerfile").read_text().startswith("# The target cuda is untested")
    for file in COMPOSE_FILES:
        needs_card = any("deploy" in service for service in ours(file))
        assert file.read_text().startswith("# untested") is needs_card, file.name


@pytest.mark.soak
@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="NOT CHECKED: install docker-compose")
@pytest.mark.parametrize("file", COMPOSE_FILES, ids=lambda file: file.name)
def test_docker_compose_itself_reads_a_compose_file(file, tmp_path):
    (tmp_path / "deploy").mkdir()
    (tmp_path / ".env").touch()
    text = re.sub(r"^name: .*\n", "", file.read_text(), flags=re.MULTILINE)  # the first docker-compose knows no name
    (tmp_path / "deploy" / "compose.yaml").write_text(text)

    read = subprocess.run(
        ["docker-compose", "-f", "deploy/compose.yaml", "config"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "POSTGRES_PASSWORD": "a-password"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert read.returncode == 0, read.stderr
    assert "trinity" in read.stdout


@pytest.mark.soak
@pytest.mark.skipif(
    not (shutil.which("buildah") and BASE_IMAGE),
    reason="NOT CHECKED: install buildah and name a Debian 12 of its own by BASE_IMAGE",
)
def test_the_image_for_the_cpu_is_made_and_runs_as_its_user():
    options = shlex.split(os.environ.get("IMAGE_OPTIONS", ""))
    name = "localhost/trinity-test:cpu"

    def buildah(*command, seconds=3600):
        done = subprocess.run(
            ["buildah", *command], cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout.strip()

    base = ("--build-arg", f"BASE={BASE_IMAGE}")
    buildah(
        "bud",
        "--format",
        "docker",
        "--layers",
        "-f",
        "deploy/Dockerfile",
        "--target",
        "cpu",
        *base,
        *options,
        "-t",
        name,
        ".",
    )
    container = buildah("from", name)
    try:
        version = buildah("run", container, "--", "trinity", "--version")
        who = buildah("run", container, "--", "sh", "-c", "id -un; touch /opt/trinity/x 2>&1 || true")
        talk = buildah("run", container, "--", "trinity", "chat")
    finally:
        buildah("rm", container)

    assert version.startswith("trinity ")
    assert who.startswith("trinity\n")
    assert "denied" in who
    assert "You: " in talk


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="NOT CHECKED: there is no systemd-analyze here")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path):
    unit = tmp_path / "trinity.service"
    unit.write_text(UNIT.read_text().replace("/opt/trinity/.venv/bin/python", "/bin/true"))

    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=60, check=False
    )

    newer = ("RestartSteps", "RestartMaxDelaySec")  # of systemd 254
    said = [
        line for line in verified.stderr.splitlines() if unit.name in line and not any(name in line for name in newer)
    ]
    assert (verified.returncode, said) == (0, [])


def test_the_unit_tells_systemd_how_it_is_and_reloads():
    lines = UNIT.read_text().splitlines()

    assert {"Type=notify", "WatchdogSec=120", "ExecReload=/bin/kill -HUP $MAINPID", "User=trinity"} <= set(lines)
