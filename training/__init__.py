"""How the demonstration model is made: dialogues written by patterns, the training, its evaluation and its card.

Nothing here is in the wheel, and the bot imports none of it. `patterns/` holds every phrase as text. A reader's way:
`grammar` draws a text from patterns, `values` and `facts` say what can be told, `conversation` keeps what was told and
words the answers, `telling`, `asking` and `talking` draw a turn each, `memories` puts notes, pins and summaries before
them, `rows` makes batches of them, `feed` has several
processes do that, `network` and `train` learn from it, `cases`, `probes` and `evaluate` measure, `card` writes it down.
"""
