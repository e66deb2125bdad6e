from bot.settings.changes import changes_between, with_live
from bot.settings.settings import Settings


def test_what_can_be_taken_over_is_told_from_what_takes_a_restart():
    before = Settings()
    after = Settings(
        temperature=0.5, blocked_users="123456789012345678", log_level="debug", model="folder", buttons=False
    )

    changes = changes_between(before, after)

    assert changes.live == ("TRINITY_TEMPERATURE", "TRINITY_BLOCKED_USERS", "TRINITY_LOG_LEVEL")
    assert changes.after_restart == ("TRINITY_MODEL", "TRINITY_BUTTONS")
    assert changes.in_words() == (
        "taken over: TRINITY_TEMPERATURE, TRINITY_BLOCKED_USERS, TRINITY_LOG_LEVEL; "
        "takes a restart: TRINITY_MODEL, TRINITY_BUTTONS"
    )


def test_what_takes_a_restart_is_named_again_until_there_was_one():
    before, after = Settings(), Settings(temperature=0.5, model="folder")

    held = with_live(before, after)

    assert (held.temperature, held.model) == (0.5, None)
    assert changes_between(held, after).live == ()
    assert changes_between(held, after).after_restart == ("TRINITY_MODEL",)


def test_no_change_is_said_to_be_none():
    assert changes_between(Settings(), Settings(allow_readable_env_file=True)).in_words() == "nothing has changed"
