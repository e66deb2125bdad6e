"""The slash commands. Read `tree` first, then a topic; `shared` is what the topics have in common."""
