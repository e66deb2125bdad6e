"""What an operator may choose. Only `command_line`, `daemon`, `doctor` and `app` read it; others get plain values.

To read it: `settings` (every setting, and how they are loaded), `checks` (what a value has to look like), `sources`
(the environment, `env_file` and `toml_file`, one over the other), `names` (misspelt ones), `description` (what
`trinity config` shows), `changes` and `live` (what is taken over while the bot runs).
"""
