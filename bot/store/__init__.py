"""What must outlive the process: conversations, the inbox and personas, in SQLite or, by URL, in PostgreSQL.

`tables` is the schema. `rows` reads and writes what the tables hold; `files` opens, migrates, checks and copies the
database that holds them.
"""
