"""The slash commands. Read `tree` first, then a topic; `shared` is what the topics have in common.

The topics: `asking`, `conversation`, `threads`, `memory`, `remembering`, `privacy`, `personas` with `persona_form`,
`settings`, `about`. What comes back later of forms and of buttons below replies is followed in `forms` and
`reply_buttons`.
"""
