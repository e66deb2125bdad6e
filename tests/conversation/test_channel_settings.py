import logging

import pytest

from bot.conversation.channel_settings import (
    SETTINGS,
    ChannelSettings,
    find_setting,
    readable_choice,
)
from bot.conversation.persona import PIRATE
from bot.errors import InvalidSetting


def test_what_goes_first_hides_what_comes_later():
    settings = ChannelSettings.merged(PIRATE, [{"top_k": 3}, {"top_k": 4, "resets": "managers"}, {"temperature": 1}])

    assert (settings.persona, settings.top_k, settings.resets, settings.temperature) == (PIRATE, 3, "managers", 1)
    assert settings.top_p is None


def test_every_setting_is_a_field_and_its_suggestions_are_values():
    for setting in SETTINGS:
        assert hasattr(ChannelSettings(), setting.name)
        assert find_setting(setting.name.upper().replace("_", "-")) is setting
        for text in setting.kind.suggestions:
            assert setting.kind.written(setting.kind.check(setting.kind.parse(text))) == text
        if setting.default is not None:
            assert setting.kind.check(setting.default) == setting.default


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("temperature", " 0,7 ", 0.7),
        ("temperature", "2", 2.0),
        ("temperature", "1e-40", 0.0),
        ("temperature", "0.70001", 0.7),
        ("top_p", "1e-3", 0.001),
        ("top_k", "50", 50),
        ("top_k", "50.0", 50),
        ("done_ping", "YES", True),
        ("session", " Person", "person"),
    ],
)
def test_a_value_is_read_as_people_type_it(name, typed, value):
    assert find_setting(name).kind.parse(typed) == value


@pytest.mark.parametrize(
    ("name", "typed", "words"),
    [
        ("temperature", "2.1", "a number from 0 to 2"),
        ("temperature", "nan", "a number from 0 to 2"),
        ("temperature", "hot", "a number from 0 to 2"),
        ("top_p", "0", "a number above 0, up to 1"),
        ("top_p", "1e-40", "a number above 0, up to 1"),
        ("top_k", "1.5", "a whole number from 0 to 1,000,000"),
        ("top_k", "-1", "a whole number"),
        ("top_k", "inf", "a whole number"),
        ("longest_answer", "15", "from 16"),
        ("done_ping", "perhaps", "`on` or `off`"),
        ("session", "guild", "`channel` or `person`"),
    ],
)
def test_a_value_that_can_not_be_is_refused_with_what_could(name, typed, words):
    with pytest.raises(InvalidSetting, match=words):
        find_setting(name).kind.parse(typed)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("volume", 11),
        ("temperature", "0.7"),
        ("temperature", True),
        ("temperature", float("nan")),
        ("top_k", 1.0),
        ("done_ping", 1),
        ("session", None),
        ("session", ["person"]),
    ],
)
def test_what_is_kept_and_can_not_be_read_is_logged_and_ignored(name, value, caplog):
    caplog.set_level(logging.WARNING)

    assert readable_choice(name, value) is None
    assert name in caplog.text
