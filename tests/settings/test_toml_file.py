import pytest

from bot.errors import ConfigError
from bot.settings.settings import load_settings, survey_settings

CANARY = "canary-a-secret-that-nobody-may-read"


@pytest.fixture
def load(tmp_path):
    def load(text, environ=None, *, env_file="", mode=0o600):
        file, dotenv = tmp_path / "trinity.toml", tmp_path / ".env"
        file.write_text(text)
        file.chmod(mode)
        dotenv.write_text(env_file)
        dotenv.chmod(0o600)
        return load_settings({"TRINITY_CONFIG": str(file), **(environ or {})}, dotenv)

    return load


def test_a_toml_file_sets_what_the_environment_sets(load):
    settings = load(
        """
        temperature = 0.7            # a comment
        top_k = 7
        buttons = false
        default_persona = "pirate"
        allowed_users = [123456789012345678, "223456789012345678"]
        blocked_users = []
        """
    )

    assert (settings.temperature, settings.top_k, settings.buttons) == (0.7, 7, False)
    assert settings.default_persona.name == "pirate"
    assert settings.access.allowed.users == {123456789012345678, 223456789012345678}
    assert settings.blocked_users is None


def test_environment_goes_over_env_file_over_toml_over_default(load):
    settings = load(
        "seed = 1\ntop_k = 1\ntop_p = 0.1\n", {"TRINITY_SEED": "3"}, env_file="TRINITY_TOP_K=2\nTRINITY_SEED=2"
    )

    assert (settings.seed, settings.top_k, settings.top_p, settings.temperature) == (3, 2, 0.1, 0.0)


def test_the_env_file_may_name_the_toml_file(tmp_path):
    (tmp_path / "t.toml").write_text("seed = 5\n")
    (tmp_path / ".env").write_text(f"TRINITY_CONFIG={tmp_path}/t.toml\n")

    assert load_settings({}, tmp_path / ".env").seed == 5


def test_a_token_of_the_environment_hides_the_files_under_whatever_name(load):
    settings = load('discord_bot_token = "of-the-file"\n', {"DISCORD_TOKEN": CANARY})

    assert settings.discord_bot_token.get_secret_value() == CANARY


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"seed = {'9' * 5000}\n", "a number is too long"),
        (f"seed = 0x{'9' * 5000}\n", "a number is too long"),
        (f"seed = {'[' * 3000}\n", "brackets lie too deep"),
        ("tempratur = 1\n", r"^tempratur in .*did you mean temperature\?"),
        ("TRINITY_SEED = 1\n", r"did you mean seed\?"),
        ('config = "other.toml"\n', "^config in .*no such setting"),
        ("temperature = 3\n", r"^temperature in .*trinity.toml: has to be at most 2.0$"),
        (f"seed = '{CANARY}'\n", "^seed in .*has to be a whole number$"),
        ("[answers]\nseed = 1\n", "^answers in .*no such setting"),
        ("seed = 2026-11-28\n", r"has to be a number, a text in quotes"),
        ("allowed_users = ['me']\n", "may hold ids alone"),
        (f"seed = {CANARY}\n", "is no TOML: it can't be read at line 1, column 8$"),
        ("seed = 1\nseed = 2\n", "is no TOML"),
        (f"discord_bot_token = '{CANARY} {CANARY}'\n", "^discord_bot_token in .*holds a blank"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_key_and_no_value(load, text, words):
    with pytest.raises(ConfigError, match=words) as caught:
        load(text)

    assert CANARY not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("path", ["/nowhere/trinity.toml", "/", "~nobody-of-that-name/trinity.toml"])
def test_a_file_that_cannot_be_read_is_named_by_its_setting(path, tmp_path):
    with pytest.raises(ConfigError, match=r"^TRINITY_CONFIG: "):
        load_settings({"TRINITY_CONFIG": path}, tmp_path / ".env")


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "t.toml").write_bytes(b"seed = 1 # \xff\n")

    with pytest.raises(ConfigError, match="is not UTF-8"):
        load_settings({"TRINITY_CONFIG": str(tmp_path / "t.toml")}, tmp_path / ".env")


@pytest.mark.parametrize("line", [f"hf_token = '{CANARY}'", f"database_url = 'postgres://u:{CANARY}@h/t'"])
def test_a_secret_that_others_can_read_is_refused_unless_the_operator_says_so(load, line):
    with pytest.raises(ConfigError, match="chmod 600"):
        load(line, mode=0o644)

    load(line, {"TRINITY_ALLOW_READABLE_ENV_FILE": "true"}, mode=0o644)
    load("seed = 1\n", mode=0o644)


def test_a_survey_names_all_that_is_wrong_and_each_once(tmp_path):
    (tmp_path / "t.toml").write_text("tempratur = 1\ntop_k = -1\n")
    survey = survey_settings(
        {"TRINITY_CONFIG": str(tmp_path / "t.toml"), "TRINITY_SEEED": "1", "TRINITY_TOP_P": "9"}, tmp_path / ".env"
    )

    assert survey.settings is None
    assert [problem.setting.split()[0] for problem in survey.problems] == [
        "tempratur", "TRINITY_SEEED", "TRINITY_TOP_P", "top_k",
    ]  # fmt: skip
