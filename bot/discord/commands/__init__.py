"""The slash commands. Read `tree` first, then a topic; `shared` is what the topics have in common.

The topics: `conversation`, `memory`, `privacy`, `personas` with `persona_form`, `settings`, `about`; then `forms` and
`reply_buttons`, for what comes back of them.
"""
