import inspect

from bot import errors


def test_every_error_is_drawn_in_the_tree():
    classes = {
        name for name, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, errors.TrinityError)
    }

    drawn = {line.strip("│├└─ ").split()[0] for line in (errors.__doc__ or "").splitlines()[2:] if line.strip()}

    assert classes == drawn


def test_a_config_error_names_the_setting_in_one_line():
    error = errors.ConfigError("TRINITY_MODEL", "no such folder")

    assert str(error) == "TRINITY_MODEL: no such folder"
    assert error.exit_status == 78
