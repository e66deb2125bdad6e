"""What must outlive the process: conversations, the inbox and personas, in SQLite or, by URL, in PostgreSQL."""
