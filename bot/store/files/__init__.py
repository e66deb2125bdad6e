"""The database itself: opened, migrated, checked, backed up, and used by one daemon at a time.

To read it: `database` (transactions), with `cancellation` and `connections`; `sqlite`, `sqlite_cursor`, `postgresql`
and `server_url` for what differs, `timeouts` and `failures` for what goes wrong. `migrate` and `schema`
build the tables; `reading` opens them to look at; `check` refuses a wrong file, by its `header` and the
`recovery_files` beside it. `backup`, `instance` and `paths` are about the files; `running_file` is one of its own.
`server_lock` is for a server's database what `instance` is for files; `copying` brings one database into another.
"""
