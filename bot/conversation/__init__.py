"""What a conversation is, and what the model and people get to see of it. The standard library and `tokenizers` only.

Read it in this order:

- `messages`: the values. A question, an answered turn, the key of a conversation. `shard` tells whose events come
  where.
- `chat_format`: what a turn is made of in the model's own template, and the encoder that makes token ids of it. All
  that is one model family's own stands in `formats`; another family is another `ChatFormat`. `tokenizer` reads the
  vocabulary, `vocabulary_files` those that come in other files than tokenizer.json.
- `sections`: what stands in a prompt beside what was said, each with a budget, such as `persona` and `pins`;
  `channel_settings` is what a channel chose; `cards` are personas as other programs write them.
- `window`: which turns still fit, and the prompt they make with the sections and the newest question.
- `sanitize`: what people may not smuggle into a prompt. `speakers` gives each account in a channel a name of its own.
- `output`: what the model may not smuggle out, while its answer streams; `character_filter` is its first step
  and `text_filter` its last; `live_patterns` finds what that has to make harmless, and `invites` knows which addresses
  invite people.
- `markup`: Discord's markdown, for both directions: what is code, and in whose name a line speaks.
"""
