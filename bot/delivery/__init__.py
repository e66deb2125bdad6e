"""Exchanges in, messages out, for any chat platform: `transport` says what is needed of it.

Read `answers` (a task for each exchange, and the only place where its errors are caught), `outcomes` (what they mean,
and what is said), `reply` (text that grows into messages; `shown_text`, with `headings`, `tables`, `open_markup` and
`split`, says how) and `parts` (those messages, found again after a restart); then the one way out, `sender`, with its
`limits` and what a refusal means (`refusals`).
"""
