"""The use cases: answer a question, reset a conversation, choose a persona; for any front end.

Read `chat` (what a front end calls), `exchange` (one question from its commit to the last edit of its answer; they are
found in `registry`), its parts `admission` (slot, commit and turn) and `interruption` (a stop, an edit) and
`recorded_parts` (the messages that show it), and `answer` (the prompt, the request and what came of it); then how an
answer is replaced or gone on with (`regeneration`), who may go first (`queue`), in which order questions are committed
where some are read first (`reading_order`), what may run together (`company`), and what happens while the database is
away (`outage`). What is found of turns that left the window: `recollection` and `summary`. What people may see and
choose: `persona_desk` and `settings_desk`, `preview` (a persona that isn't kept), `memory_desk` (what is remembered of
a conversation), `pin_desk` (what is kept in mind there), `privacy_desk` (what is kept of a person), `tally` and
`about`. Who may ask at all is `access`; what becomes of what is too old, and of a guild that was left, is in
`retention` and `departures`. How an answer is made again is `recipe` and `replay`.
"""
