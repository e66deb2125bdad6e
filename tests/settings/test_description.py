from bot.settings.description import SECRET_NAMES, Row, describe
from bot.settings.settings import Settings, survey_settings

SECRET = "sea-shell-by-the-shore"
TOKEN = "MTA1NTU1NTU1NTU1NTU1NTU1.Gx0aBc.a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5"


def rows(tmp_path, environ, env_file="", toml=""):
    (tmp_path / ".env").write_text(env_file)
    (tmp_path / ".env").chmod(0o600)
    (tmp_path / "t.toml").write_text(toml)
    survey = survey_settings({"TRINITY_CONFIG": str(tmp_path / "t.toml"), **environ}, tmp_path / ".env")
    return {row.name: row for row in describe(survey)}


def test_every_setting_is_shown_with_where_it_comes_from(tmp_path):
    shown = rows(tmp_path, {"TRINITY_SEED": "1"}, "TRINITY_TOP_K=2\n", "temperature = 0.5\n")

    assert len(shown) == len(Settings.model_fields)
    assert shown["TRINITY_SEED"] == Row("TRINITY_SEED", "1", "environment")
    assert shown["TRINITY_TOP_K"] == Row("TRINITY_TOP_K", "2", str(tmp_path / ".env"))
    assert shown["TRINITY_TEMPERATURE"] == Row("TRINITY_TEMPERATURE", "0.5", str(tmp_path / "t.toml"))
    assert shown["TRINITY_TOP_P"] == Row("TRINITY_TOP_P", "0.95", "default")
    assert shown["TRINITY_BUTTONS"].value == "true"
    assert shown["TRINITY_MODEL"].value is None


def test_every_setting_that_is_a_secret_is_known_to_be_one():
    secret = {str(field.validation_alias) for field in Settings.model_fields.values() if "SecretStr" in str(field)}

    assert secret - {"TRINITY_DATABASE_URL"} <= set(SECRET_NAMES)


def test_no_secret_is_shown_not_even_in_the_wrong_line(tmp_path):
    shown = rows(
        tmp_path,
        {
            "DISCORD_TOKEN": TOKEN,
            "HF_TOKEN": SECRET,
            "TRINITY_OPERATOR_TOKEN": SECRET,
            "TRINITY_DATABASE_URL": f"postgresql://trinity:{SECRET}@host/trinity?password={SECRET}",
            "TRINITY_SEED": TOKEN,
            "TRINITY_MODEL": "line\x1b[2J",
        },
    )

    assert shown["DISCORD_TOKEN"].value == shown["HF_TOKEN"].value == "[set]"
    assert "DISCORD_BOT_TOKEN" not in shown
    assert shown["TRINITY_DATABASE_URL"].value.endswith("host/trinity?password=[redacted]")
    assert not any(SECRET in str(row) or TOKEN in str(row) or "\x1b" in str(row.value) for row in shown.values())
