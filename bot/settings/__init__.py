"""What an operator may choose. Only `command_line`, `daemon` and `app` read it; the other parts get plain values.

To read it: `settings` (every setting, and how they are loaded), `checks` (what a value has to look like), `env_file`
(how `.env` is read).
"""
