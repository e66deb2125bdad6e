"""What the tables hold, read and written in transactions of a `Database`.

To read it: `inbox` (a question's way, with `questions` for its values and queries, and `reception` for what comes with
it), `history` (the turns, with `conversations`, `turns` and `deletion` for the statements, and `regeneration` for one
that gets another answer), `summaries`, `personas` and `pins`; then `transcripts` and `own_words` (the turns for people,
and of one person), `made_answers` (an answer with all that it was made of, with `persona_texts`), `turn_limits`,
`guilds` and `shards` (which process has which). `locks` says what those that write lock, and in which order.
"""
