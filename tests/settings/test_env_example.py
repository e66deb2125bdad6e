import re
from pathlib import Path

import pytest

import bot
from bot.settings.settings import Settings, load_settings, setting_names

ROOT = Path(bot.__file__).parents[1]
EXAMPLE = ROOT / ".env.example"
LINE = re.compile(r"^(?P<off># )?(?P<name>[A-Z][A-Z0-9_]+)=(?P<value>\S*)$", re.MULTILINE)
ROW = re.compile(r"^\| `(?P<name>[A-Z][A-Z0-9_]+)` \| (?P<default>[^|]+) \|", re.MULTILINE)


def default_of(name):
    by_name = {str(field.validation_alias): field.default for field in Settings.model_fields.values()}
    default = by_name.get(name)
    return str(default).lower() if isinstance(default, bool) else default


def test_example_lists_every_setting_once_and_nothing_else():
    names = [match["name"] for match in LINE.finditer(EXAMPLE.read_text())]

    assert sorted(names) == sorted(setting_names())


def test_example_as_it_is_changes_nothing():
    assert load_settings({}, EXAMPLE) == Settings()


@pytest.mark.parametrize("match", list(LINE.finditer(EXAMPLE.read_text())), ids=lambda match: match["name"])
def test_example_shows_the_default_where_there_is_one(match):
    default = default_of(match["name"])

    if default is None:
        assert match["off"] or not match["value"]
    else:
        assert match["value"] == str(default)


def test_every_example_can_be_uncommented(tmp_path):
    token_file = tmp_path / "token"
    token_file.write_text("a.b.c")
    (tmp_path / "trinity.toml").touch()
    given = {match["name"]: match["value"] for match in LINE.finditer(EXAMPLE.read_text()) if match["value"]}

    files = {"DISCORD_BOT_TOKEN_FILE": str(token_file), "TRINITY_CONFIG": str(tmp_path / "trinity.toml")}

    settings = load_settings(given | files, tmp_path / ".env")

    assert settings.model == "meta-llama/Llama-2-7b-chat-hf"


def test_readme_lists_every_setting_with_its_default():
    rows = {match["name"]: match["default"].strip() for match in ROW.finditer((ROOT / "README.md").read_text())}

    defaults = {name: default_of(name) for name in setting_names()}
    assert rows == {name: "not set" if default is None else f"`{default}`" for name, default in defaults.items()}
