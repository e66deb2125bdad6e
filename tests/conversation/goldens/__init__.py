"""The vendors' own token ids for fifty dialogues in each chat format, and how they were made.

- `dialogues`: what is said in them.
- `references`: the vendors' libraries, run in an environment of their own by `make`, which writes `goldens.json`.
- `vocabularies`: published vocabularies, taken out of pinned packages; too large to lie here.
"""
