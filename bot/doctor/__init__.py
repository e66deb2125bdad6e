"""`trinity doctor`: looks at everything that a start needs, and says what is wrong and what mends it.

To read it: `finding` (what a check says), `examination` (runs them all, each within its time), then the checks, a
module for each topic: `installation`, `configuration`, `files`, `database`, `model`, `card` with `card_facts` (a
process of its own, since a driver may hang), and `on_discord`.
"""
