import os
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from bot.chat.access import Access
from bot.conversation.persona import PIRATE, Persona
from bot.errors import ConfigError
from bot.settings.settings import Settings, hand_on_library_variables, load_settings, setting_names

NO_FILE = Path("/nowhere/.env")
CANARY = "canary-MTA1.Gx0aBc.a-secret-that-nobody-may-read"

WRONG_ENVIRONMENTS = [
    ("TRINITY_MODLE", {"TRINITY_MODLE": "folder"}),
    ("trinity_model", {"trinity_model": "folder"}),
    ("TRINITY_NEW_SETTING", {"TRINITY_NEW_SETTING": ""}),
    ("TRINITY_MAX_NEW_TOKENS", {"TRINITY_MAX_NEW_TOKENS": "many"}),
    ("TRINITY_MAX_NEW_TOKENS", {"TRINITY_MAX_NEW_TOKENS": "0"}),
    ("TRINITY_MAX_NEW_TOKENS", {"TRINITY_MAX_NEW_TOKENS": "1.5"}),
    ("TRINITY_MAX_NEW_TOKENS", {"TRINITY_MAX_NEW_TOKENS": "9" * 5000}),
    ("TRINITY_CONTEXT_WINDOW", {"TRINITY_CONTEXT_WINDOW": "512"}),
    ("TRINITY_CONTEXT_WINDOW", {"TRINITY_CONTEXT_WINDOW": "4k"}),
    ("TRINITY_MAX_NEW_TOKENS", {"TRINITY_CONTEXT_WINDOW": "1535"}),
    ("TRINITY_TEMPERATURE", {"TRINITY_TEMPERATURE": "-0.1"}),
    ("TRINITY_TEMPERATURE", {"TRINITY_TEMPERATURE": "nan"}),
    ("TRINITY_TEMPERATURE", {"TRINITY_TEMPERATURE": "0,7"}),
    ("TRINITY_TOP_P", {"TRINITY_TOP_P": "0"}),
    ("TRINITY_TOP_P", {"TRINITY_TOP_P": "1.01"}),
    ("TRINITY_TOP_K", {"TRINITY_TOP_K": "-1"}),
    ("TRINITY_REPETITION_PENALTY", {"TRINITY_REPETITION_PENALTY": "0"}),
    ("TRINITY_SEED", {"TRINITY_SEED": "-1"}),
    ("TRINITY_SEED", {"TRINITY_SEED": "4294967296"}),
    ("TRINITY_DEVICE", {"TRINITY_DEVICE": "gpu"}),
    ("TRINITY_DEVICE", {"TRINITY_DEVICE": "cuda:one"}),
    ("TRINITY_GPU_MEMORY_GIB", {"TRINITY_GPU_MEMORY_GIB": "0"}),
    ("TRINITY_GPU_MEMORY_FRACTION", {"TRINITY_GPU_MEMORY_FRACTION": "90"}),
    ("TRINITY_WEIGHTS", {"TRINITY_WEIGHTS": "int4"}),
    ("TRINITY_KV_CACHE", {"TRINITY_KV_CACHE": "fp8"}),
    ("TRINITY_DATABASE_URL", {"TRINITY_DATABASE_URL": f"mysql://user:{CANARY}@host/trinity"}),
    ("TRINITY_DATABASE_URL", {"TRINITY_DATABASE_URL": "trinity.db"}),
    ("TRINITY_DATABASE_URL", {"TRINITY_DATABASE_URL": "sqlite:///:memory:"}),
    ("TRINITY_DATABASE_URL", {"TRINITY_DATABASE_URL": "postgresql://[::1/trinity"}),
    ("TRINITY_RETENTION_DAYS", {"TRINITY_RETENTION_DAYS": "0"}),
    ("TRINITY_ALLOWED_GUILDS", {"TRINITY_ALLOWED_GUILDS": "My server"}),
    ("TRINITY_ALLOWED_CHANNELS", {"TRINITY_ALLOWED_CHANNELS": "<#123456789012345678>"}),
    ("TRINITY_ALLOWED_ROLES", {"TRINITY_ALLOWED_ROLES": "123456789012345678;223456789012345678"}),
    ("TRINITY_ALLOWED_USERS", {"TRINITY_ALLOWED_USERS": ","}),
    ("TRINITY_BLOCKED_GUILDS", {"TRINITY_BLOCKED_GUILDS": "12345"}),
    ("TRINITY_BLOCKED_CHANNELS", {"TRINITY_BLOCKED_CHANNELS": "99999999999999999999"}),
    ("TRINITY_BLOCKED_ROLES", {"TRINITY_BLOCKED_ROLES": "-123456789012345678"}),
    ("TRINITY_BLOCKED_USERS", {"TRINITY_BLOCKED_USERS": "١٢٣٤٥٦٧٨٩٠١٢٣٤٥٦٧٨"}),
    ("TRINITY_DIRECT_MESSAGES", {"TRINITY_DIRECT_MESSAGES": "sometimes"}),
    ("TRINITY_DEFAULT_PERSONA", {"TRINITY_DEFAULT_PERSONA": "nobody"}),
    ("TRINITY_DEFAULT_PERSONA", {"TRINITY_DEFAULT_PERSONA": "/"}),
    ("TRINITY_TURNS_PER_HOUR_PERSON", {"TRINITY_TURNS_PER_HOUR_PERSON": "-1"}),
    ("TRINITY_TURNS_PER_HOUR_GUILD", {"TRINITY_TURNS_PER_HOUR_GUILD": "many"}),
    ("TRINITY_LEFT_GUILD_DAYS", {"TRINITY_LEFT_GUILD_DAYS": "0"}),
    ("TRINITY_DISCORD_GATEWAY_URL", {"TRINITY_DISCORD_API_URL": "http://127.0.0.1:1"}),
    ("TRINITY_DISCORD_API_URL", {"TRINITY_DISCORD_GATEWAY_URL": "ws://127.0.0.1:1"}),
    ("TRINITY_DISCORD_API_URL", {"TRINITY_DISCORD_API_URL": "ftp://host", "TRINITY_DISCORD_GATEWAY_URL": "ws://host"}),
    ("TRINITY_DISCORD_API_URL", {"TRINITY_DISCORD_API_URL": "http://[::", "TRINITY_DISCORD_GATEWAY_URL": "ws://host"}),
    (
        "TRINITY_DISCORD_GATEWAY_URL",
        {"TRINITY_DISCORD_API_URL": "http://host", "TRINITY_DISCORD_GATEWAY_URL": f"ws://me:{CANARY}@host"},
    ),
    ("TRINITY_ENGINE_URL", {"TRINITY_ENGINE_URL": "http://gpu..lan:8000"}),
    ("TRINITY_ENGINE_URL", {"TRINITY_ENGINE_URL": "http://<host>:8000"}),
    ("TRINITY_ENGINE_URL", {"TRINITY_ENGINE_URL": "http://$HOST:8000"}),
    ("TRINITY_ENGINE_URL", {"TRINITY_ENGINE_URL": "http://my host:8000"}),
    ("TRINITY_ENGINE_URL", {"TRINITY_ENGINE_URL": "http://host:8000/v1?model=a"}),
    ("TRINITY_EDIT_INTERVAL_SECONDS", {"TRINITY_EDIT_INTERVAL_SECONDS": "0"}),
    ("TRINITY_DRAIN_SECONDS", {"TRINITY_DRAIN_SECONDS": "inf"}),
    ("TRINITY_LOG_LEVEL", {"TRINITY_LOG_LEVEL": "loud"}),
    ("TRINITY_LOG_FORMAT", {"TRINITY_LOG_FORMAT": "xml"}),
    ("TRINITY_ALLOW_READABLE_ENV_FILE", {"TRINITY_ALLOW_READABLE_ENV_FILE": "perhaps"}),
    ("TRINITY_MODEL", {"TRINITY_MODEL": "folder\nTRINITY_SEED=1"}),
    ("DISCORD_BOT_TOKEN", {"DISCORD_BOT_TOKEN": f"Bot {CANARY}"}),
    ("DISCORD_TOKEN", {"DISCORD_TOKEN": f"{CANARY} {CANARY}"}),
    ("DISCORD_BOT_TOKEN and DISCORD_TOKEN", {"DISCORD_BOT_TOKEN": CANARY, "DISCORD_TOKEN": CANARY + "2"}),
    ("DISCORD_BOT_TOKEN_FILE", {"DISCORD_BOT_TOKEN_FILE": "/nowhere/token"}),
    ("DISCORD_BOT_TOKEN_FILE", {"DISCORD_BOT_TOKEN_FILE": "~nobody-of-that-name/token"}),
    ("TRINITY_MODEL", {"TRINITY_MODEL": "~nobody-of-that-name/llama"}),
    ("TRINITY_DATA_DIR", {"TRINITY_DATA_DIR": "~nobody-of-that-name/data"}),
    ("TRINITY_DATA_DIR", {"TRINITY_DATA_DIR": __file__}),
    ("TRINITY_DATA_DIR", {"TRINITY_DATA_DIR": f"{__file__}/data"}),
    ("DISCORD_BOT_TOKEN_FILE", {"DISCORD_BOT_TOKEN_FILE": "/"}),
    ("HF_TOKEN", {"HF_TOKEN": f"hf_{CANARY}é"}),
]

WRONG_FILES = [
    ("line 3", "TRINITY_SEED=1\n\n=2\n"),
    ("line 1", f'DISCORD_BOT_TOKEN="{CANARY}\n'),
    ("line 3", "\n\nTRINITY_SEED\n"),
    ("line 2", f"TRINITY_SEED=1\n{CANARY}\n"),
    ("TRINITY_SEED", "TRINITY_SEED=1\nTRINITY_SEED=\n"),
    ("TRINITY_SEED", "TRINITY_SEED=one\n"),
    ("TRINITY_SEEED", "TRINITY_SEEED=1\n"),
    ("TRINITY_MODEL", 'TRINITY_MODEL="a\\nb"\n'),
]


def load(environ: dict[str, str] | None = None, env_file: Path = NO_FILE) -> Settings:
    return load_settings(environ or {}, env_file)


def write_env_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / ".env"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_without_any_setting_the_defaults_hold():
    settings = load()

    assert settings.discord_bot_token is None
    assert settings.model is None
    assert (settings.max_new_tokens, settings.context_window) == (1024, None)
    assert (settings.temperature, settings.top_p, settings.top_k, settings.repetition_penalty) == (0.0, 0.95, 50, 1.0)
    assert (settings.edit_interval_seconds, settings.drain_seconds) == (1.0, 20.0)
    assert settings.effective_database_url == f"sqlite+aiosqlite:///{Path.cwd()}/data/trinity.db"


def test_environment_goes_over_the_file_and_the_file_over_the_default(tmp_path):
    env_file = write_env_file(tmp_path, "TRINITY_SEED=1\nTRINITY_TOP_K=7\n")

    settings = load({"TRINITY_SEED": "2"}, env_file)

    assert (settings.seed, settings.top_k, settings.top_p) == (2, 7, 0.95)


def test_empty_value_means_not_set(tmp_path):
    env_file = write_env_file(tmp_path, "TRINITY_SEED=3\nTRINITY_TOP_K=\nDISCORD_BOT_TOKEN=''\n")

    settings = load({"TRINITY_SEED": " "}, env_file)

    assert (settings.seed, settings.top_k, settings.discord_bot_token) == (3, 50, None)


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("", None),
        ("OFF", None),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("[::1]:9464", ("::1", 9464)),
        ("trinity:1", ("trinity", 1)),
    ],
)
def test_the_operations_address_is_a_host_and_a_port_or_off(tmp_path, written, at):
    env_file = write_env_file(tmp_path, "TRINITY_OPERATIONS_ADDRESS=127.0.0.1:1\n")

    assert load({"TRINITY_OPERATIONS_ADDRESS": written}, env_file).operations_at == at
    assert load({}, env_file).operations_at == ("127.0.0.1", 1)


@pytest.mark.parametrize(
    "written",
    ["9464", ":9464", "::1:9464", "a:b", "a:65536", "http://a:1", "a: 1", "a..b:1", "*:1", "a b:1", f"{64 * 'a'}:1"],
)
def test_an_address_that_cannot_be_listened_at_is_refused(written):
    with pytest.raises(ConfigError, match="TRINITY_OPERATIONS_ADDRESS: has to be a host and a port"):
        load({"TRINITY_OPERATIONS_ADDRESS": written})


def test_ids_stand_between_commas_or_blanks():
    settings = load(
        {
            "TRINITY_ALLOWED_USERS": "123456789012345678, 223456789012345678  323456789012345678,",
            "TRINITY_BLOCKED_CHANNELS": "423456789012345678",
            "TRINITY_DIRECT_MESSAGES": "off",
        }
    )

    access = settings.access
    assert access.allowed.users == {123456789012345678, 223456789012345678, 323456789012345678}
    assert access.blocked.channels == {423456789012345678}
    assert access.direct_messages is False
    assert load().access == Access()


def test_a_default_persona_is_a_name_or_a_file(tmp_path):
    file = tmp_path / "butler.txt"
    file.write_text("\ufeffYou are a butler.\n")

    assert load({"TRINITY_DEFAULT_PERSONA": "Pirate"}).default_persona is PIRATE
    assert load({"TRINITY_DEFAULT_PERSONA": str(file)}).default_persona == Persona(
        "butler", "You are a butler.", is_operators=True
    )


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("butler.txt", b" \n", "a few sentences"),
        ("butler.txt", b"x" * 70_000, "a few sentences"),
        ("butler.txt", b"\xff\xfe", "UTF-8"),
        ("my butler.txt", b"You are a butler.", "one word"),
    ],
)
def test_a_file_that_is_no_persona_is_refused_in_words(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(ConfigError, match=words):
        load({"TRINITY_DEFAULT_PERSONA": str(tmp_path / name)})


def test_no_turns_per_hour_is_no_limit():
    limits = load({"TRINITY_TURNS_PER_HOUR_PERSON": "0", "TRINITY_TURNS_PER_HOUR_GUILD": "60"}).turn_limits

    assert (limits.person, limits.guild) == (None, 60)
    assert not load().turn_limits


def test_values_of_the_file_are_taken_as_they_stand(tmp_path):
    env_file = write_env_file(tmp_path, "export TRINITY_MODEL='a ${HOME} # b'  # the folder\r\nOTHER=\"x\"\n")

    settings = load({}, env_file)

    assert settings.model == "a ${HOME} # b"


def test_tilde_is_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")

    settings = load({"TRINITY_MODEL": "~/llama", "TRINITY_DATA_DIR": "~/data"})

    assert (settings.model, settings.data_dir) == ("/home/ada/llama", Path("/home/ada/data"))


@pytest.mark.parametrize(("name", "environ"), WRONG_ENVIRONMENTS)
def test_wrong_environment_is_one_line_that_names_the_setting_and_no_value(name, environ):
    with pytest.raises(ConfigError) as caught:
        load(environ)

    line = str(caught.value)
    assert caught.value.setting == name
    assert line.startswith(f"{name}: ")
    assert len(line.splitlines()) == 1
    assert CANARY not in line
    assert caught.value.exit_status == 78


@pytest.mark.parametrize(("named", "text"), WRONG_FILES)
def test_wrong_env_file_is_one_line_that_says_where(tmp_path, named, text):
    env_file = write_env_file(tmp_path, text)

    with pytest.raises(ConfigError) as caught:
        load({}, env_file)

    line = str(caught.value)
    assert named in line
    assert len(line.splitlines()) == 1
    assert CANARY not in line


@pytest.mark.parametrize("content", [b"TRINITY_MODEL=\xff\xfe\n", None])
def test_env_file_that_is_no_text_is_refused(tmp_path, content):
    path = tmp_path / ".env"
    path.mkdir() if content is None else path.write_bytes(content)

    with pytest.raises(ConfigError, match=re.escape(str(path))):
        load({}, path)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no file here that never ends")
def test_a_file_without_an_end_is_not_read_to_it(tmp_path):
    (tmp_path / ".env").symlink_to("/dev/zero")

    with pytest.raises(ConfigError, match="far too large for a file with settings"):
        load({}, tmp_path / ".env")
    with pytest.raises(ConfigError, match=r"TRINITY_CONFIG: .*far too large for a file with settings"):
        load({"TRINITY_CONFIG": "/dev/zero"})


def test_env_file_behind_a_link_that_leads_nowhere_is_refused(tmp_path):
    (tmp_path / ".env").symlink_to(tmp_path / "not mounted" / "env")

    with pytest.raises(ConfigError, match="is a link that leads nowhere"):
        load({}, tmp_path / ".env")


def test_the_address_of_a_page_may_have_what_one_that_is_asked_may_not():
    assert load({"TRINITY_SOURCE_URL": "https://host/tree?at=1#top"}).source_url == "https://host/tree?at=1#top"
    assert load({"TRINITY_ENGINE_URL": "http://[::1]:8000/v1/"}).engine_url == "http://[::1]:8000/v1"


def test_names_that_kubernetes_sets_are_let_pass():
    settings = load({"TRINITY_SERVICE_HOST": "10.0.0.1", "TRINITY_PORT": "tcp://x", "TRINITY_PORT_80_TCP_ADDR": "x"})

    assert settings == Settings()


def test_misspelt_name_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match=r"did you mean TRINITY_MODEL\?"):
        load({"TRINITY_MODLE": "x"})


@pytest.mark.parametrize("name", ["DISCORD_BOT_TOKEN", "DISCORD_TOKEN"])
def test_either_name_gives_the_token(name):
    settings = load({name: f" {CANARY} "})

    assert settings.discord_bot_token.get_secret_value() == CANARY


def test_token_may_come_from_a_file(tmp_path):
    (tmp_path / "token").write_text(f"{CANARY}\n")

    settings = load({"DISCORD_BOT_TOKEN_FILE": str(tmp_path / "token"), "DISCORD_TOKEN": CANARY})

    assert settings.discord_bot_token.get_secret_value() == CANARY


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe"])
def test_token_file_without_a_token_is_refused(tmp_path, content):
    (tmp_path / "token").write_bytes(content)

    with pytest.raises(ConfigError, match=r"^DISCORD_BOT_TOKEN_FILE: "):
        load({"DISCORD_BOT_TOKEN_FILE": str(tmp_path / "token")})


def test_token_of_the_environment_hides_the_file_under_whatever_name(tmp_path):
    env_file = write_env_file(tmp_path, "DISCORD_BOT_TOKEN=of-the-file\nDISCORD_BOT_TOKEN_FILE=/nowhere\n")

    settings = load({"DISCORD_TOKEN": CANARY}, env_file)

    assert settings.discord_bot_token.get_secret_value() == CANARY


SERVER = {"TRINITY_DATABASE_URL": "postgresql://trinity@localhost/trinity"}


@pytest.mark.parametrize(
    ("given", "shards"),
    [
        ({}, (None, None)),
        ({"TRINITY_SHARD_COUNT": "auto", "TRINITY_SHARD_IDS": "auto"}, (0, None)),
        ({"TRINITY_SHARD_COUNT": "16"}, (16, None)),
        ({"TRINITY_SHARD_COUNT": "4", "TRINITY_SHARD_IDS": "0-3"}, (4, {0, 1, 2, 3})),
        (SERVER | {"TRINITY_SHARD_COUNT": "16", "TRINITY_SHARD_IDS": "0-2, 8"}, (16, {0, 1, 2, 8})),
    ],
)
def test_shards_are_numbers_and_ranges_or_auto(tmp_path, given, shards):
    settings = load_settings(given, tmp_path / ".env")

    assert (settings.shard_count, settings.shard_ids) == shards


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"TRINITY_SHARD_COUNT": "0"}, "TRINITY_SHARD_COUNT: has to be a number from 1"),
        ({"TRINITY_SHARD_COUNT": "many"}, "or auto for what Discord recommends"),
        ({"TRINITY_SHARD_COUNT": "4", "TRINITY_SHARD_IDS": "first"}, "ranges of shards such as 0-3,8"),
        ({"TRINITY_SHARD_COUNT": "4", "TRINITY_SHARD_IDS": "3-1"}, "names no shard"),
        ({"TRINITY_SHARD_COUNT": "4", "TRINITY_SHARD_IDS": "0-4"}, "counted from 0 to 3"),
        ({"TRINITY_SHARD_IDS": "0-3"}, "in TRINITY_SHARD_COUNT"),
        ({"TRINITY_SHARD_COUNT": "4", "TRINITY_SHARD_IDS": "0-1"}, "takes PostgreSQL: SQLite is one process's"),
    ],
)
def test_shards_that_make_no_sense_are_refused_in_words(tmp_path, given, words):
    with pytest.raises(ConfigError, match=re.escape(words)):
        load_settings(given, tmp_path / ".env")


def test_secrets_are_not_in_a_repr_or_a_dump():
    url = "postgresql://trinity:sea%20shell@host/trinity"
    settings = load({"DISCORD_BOT_TOKEN": CANARY, "HF_TOKEN": "hf_canary", "TRINITY_DATABASE_URL": url})

    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"

    assert not any(secret in shown for secret in (CANARY, "hf_canary", "sea%20shell", "sea shell"))
    assert set(settings.secrets) == {CANARY, "hf_canary", "sea%20shell", "sea shell"}


def test_error_of_pydantic_itself_repeats_no_value():
    with pytest.raises(ValidationError) as caught:
        Settings(seed=CANARY, hf_token=f"{CANARY} ")

    assert CANARY not in str(caught.value)


def test_settings_are_frozen():
    settings = load()

    with pytest.raises(ValidationError, match="frozen"):
        settings.seed = 1


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("sqlite:////srv/t.db", "sqlite+aiosqlite:////srv/t.db"),
        ("postgres://u:p@h/t", "postgresql+asyncpg://u:p@h/t"),
        ("postgresql+asyncpg://u@h:5433/t", "postgresql+asyncpg://u@h:5433/t"),
    ],
)
def test_short_database_urls_get_their_driver(given, used):
    assert load({"TRINITY_DATABASE_URL": given}).effective_database_url == used


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
@pytest.mark.parametrize(
    "line", [f"DISCORD_TOKEN={CANARY}", f"HF_TOKEN={CANARY}", f"TRINITY_DATABASE_URL=postgres://u:{CANARY}@h/t"]
)
def test_readable_file_with_a_secret_is_refused_with_the_command_that_mends_it(tmp_path, mode, line):
    env_file = write_env_file(tmp_path, line, mode)

    with pytest.raises(ConfigError) as caught:
        load({}, env_file)

    assert f"chmod 600 {env_file}" in str(caught.value)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_private_file_with_a_secret_is_read(tmp_path, mode):
    env_file = write_env_file(tmp_path, f"DISCORD_BOT_TOKEN={CANARY}", mode)

    assert load({}, env_file).discord_bot_token.get_secret_value() == CANARY


def test_readable_file_without_a_secret_is_read(tmp_path):
    env_file = write_env_file(tmp_path, "DISCORD_BOT_TOKEN=\nTRINITY_SEED=4\n", 0o644)

    assert load({}, env_file).seed == 4


@pytest.mark.parametrize("where", ["environment", "file"])
def test_readable_file_is_read_where_the_operator_says_so(tmp_path, where):
    override = {"TRINITY_ALLOW_READABLE_ENV_FILE": "true"}
    lines = [f"DISCORD_BOT_TOKEN={CANARY}", *(f"{n}={v}" for n, v in override.items() if where == "file")]
    env_file = write_env_file(tmp_path, "\n".join(lines), 0o644)

    settings = load(override if where == "environment" else {}, env_file)

    assert settings.discord_bot_token.get_secret_value() == CANARY


def test_symbolic_link_counts_as_the_file_behind_it(tmp_path):
    bared = write_env_file(tmp_path, f"DISCORD_BOT_TOKEN={CANARY}", 0o644)
    link = tmp_path / "link"
    link.symlink_to(bared)

    with pytest.raises(ConfigError, match="chmod 600"):
        load({}, link)
    bared.chmod(0o600)
    assert load({}, link).discord_bot_token.get_secret_value() == CANARY


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("given_away", ["file", "link"])
def test_file_or_link_of_another_user_is_refused(tmp_path, given_away):
    env_file = write_env_file(tmp_path, f"DISCORD_BOT_TOKEN={CANARY}")
    link = tmp_path / "link"
    link.symlink_to(env_file)
    os.chown(env_file if given_away == "file" else link, 12345, 12345, follow_symlinks=False)

    with pytest.raises(ConfigError, match="belongs to another user"):
        load({}, link)


def test_every_setting_has_one_name():
    names = setting_names()

    assert len(names) == len(set(names))
    assert {name for name in names if not name.startswith("TRINITY_")} == {
        "DISCORD_BOT_TOKEN",
        "DISCORD_TOKEN",
        "DISCORD_BOT_TOKEN_FILE",
        "HF_TOKEN",
        "HUGGING_FACE_HUB_TOKEN",
    }


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("DISCORD_BOT_TOKN", "DISCORD_BOT_TOKEN"),
        ("DISCORD_BOTTOKEN", "DISCORD_BOT_TOKEN"),
        ("DISCORD_BOT_TOEKN", "DISCORD_BOT_TOKEN"),
        ("discord_bot_token", "DISCORD_BOT_TOKEN"),
        ("DISCORD_TOKENS", "DISCORD_TOKEN"),
        ("DISCROD_TOKEN", "DISCORD_TOKEN"),
        ("DISCORD_TOKEN_FILE", "DISCORD_BOT_TOKEN_FILE"),
        ("HF_TOKN", "HF_TOKEN"),
        ("HFTOKEN", "HF_TOKEN"),
        ("HUGGINGFACE_HUB_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
        ("HF_HOEM", "HF_HOME"),
        ("HF_HUB_OFLINE", "HF_HUB_OFFLINE"),
        ("TRINTY_MODEL", "TRINITY_MODEL"),
        ("TRINITYMODEL", "TRINITY_MODEL"),
        ("TRINITY_MODLE", "TRINITY_MODEL"),
    ],
)
@pytest.mark.parametrize("is_in_file", [False, True])
def test_a_name_that_is_almost_a_setting_is_refused_with_the_right_one(tmp_path, name, right, *, is_in_file):
    env_file = write_env_file(tmp_path, f"{name}=x\n" if is_in_file else "")

    with pytest.raises(ConfigError, match=f"^{name}: .*did you mean {right}") as refused:
        load({} if is_in_file else {name: "x"}, env_file)

    assert refused.value.exit_status == 78


def test_names_of_other_programs_are_let_pass():
    foreign = (
        *("DISCORD_WEBHOOK_URL", "DISCORD_CLIENT_ID", "DISCORD_GUILD_ID", "DISCORD_BOT_NAME", "DISCORD_CHANNEL"),
        *("HF_DATASETS_CACHE", "HF_USER", "HF_HUB_DISABLE_PROGRESS_BARS", "HF_MODULES_CACHE", "HF_DEBUG", "HF_HUB"),
        *("TRINITY_SERVICE_HOST", "TRINITY_PORT_80_TCP", "MODEL", "TOKEN", "HUGGINGFACEHUB_API_TOKEN", "HOME", "PATH"),
    )

    assert load(dict.fromkeys(foreign, "x")) == Settings()


def test_a_near_name_beside_the_right_one_is_somebody_elses():
    settings = load({"DISCORD_TOKEN": "a.b.c", "DISCORD_BOT_TOKEN2": "x", "HF_TOKEN": "hf_x", "HF_TOKEN2": "x"})

    assert settings.discord_bot_token.get_secret_value() == "a.b.c"


@pytest.mark.parametrize("written", ['"a.b.c"', "'a.b.c'", ' "a.b.c" ', "a.b.c\r", "a.b.c\n", '" a.b.c "'])
@pytest.mark.parametrize("name", ["DISCORD_BOT_TOKEN", "DISCORD_TOKEN", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "file"])
def test_quotes_and_blanks_around_a_token_are_taken_off(tmp_path, written, name):
    file = tmp_path / "token"
    file.write_bytes(b"\xef\xbb\xbf" + written.encode())

    settings = load({name: written} if name != "file" else {"DISCORD_BOT_TOKEN_FILE": str(file)})

    (token,) = (secret for secret in (settings.discord_bot_token, settings.hf_token) if secret)
    assert token.get_secret_value() == "a.b.c"


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("Bot a.b.c", "without the word before it"),
        ('"Bot a.b.c"', "without the word before it"),
        ("Bearer a.b.c", "without the word before it"),
        ('"a.b.c', "a quotation mark"),
        ("a.b.c'", "a quotation mark"),
        ("a.b.c\u200b", "a control character"),
        ("a.b.c\nd", "a control character"),
    ],
)
def test_what_else_stands_in_a_token_is_named(written, words):
    with pytest.raises(ConfigError, match=words):
        load({"DISCORD_BOT_TOKEN": written})


def test_the_file_may_set_what_libraries_read(tmp_path, monkeypatch):
    for name in ("HF_HOME", "https_proxy", "NO_PROXY", "SOMETHING", "TRINITY_SEED"):
        monkeypatch.setenv(name, "so that it is as before in the end")
        monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HUB_CACHE", "/there/already")
    before = dict(os.environ)
    text = "HF_HOME=/srv/hub\nhttps_proxy=http://proxy:3128\nNO_PROXY=\nSOMETHING=else\nTRINITY_SEED=1\n"

    hand_on_library_variables(write_env_file(tmp_path, text + "HF_HUB_CACHE=/another\n"))
    hand_on_library_variables(write_env_file(tmp_path, "no settings at all\n"))

    assert dict(os.environ) == before | {"HF_HOME": "/srv/hub", "https_proxy": "http://proxy:3128"}


def test_the_small_model_has_defaults_of_its_own_and_what_is_set_goes_before_them():
    small, named = {"TRINITY_MODEL": "smollm2"}, {"TRINITY_MODEL": "someone/model"}

    suited = load(small | {"TRINITY_TEMPERATURE": "0.7"})

    assert (suited.temperature, suited.top_p) == (0.7, 0.9)
    assert suited.default_persona.name == "Trinity"
    assert load(named).top_p == 0.95
    assert load(small | {"TRINITY_ENGINE_URL": "http://127.0.0.1:8000"}).default_persona is None
