"""The chat at a terminal: one person and one conversation, instead of Discord.

To read it: `session` (questions, answers and commands; those about memory are in `remembering`), `output` (what is
said, for readers of any speed), `input` (where lines come from), `standard_input` (which of these it is), `keyboard`
(line editing and the terminal's modes) and `line_history`.
"""
