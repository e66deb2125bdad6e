"""Who runs next and in which blocks of the cache: plain Python, without torch and numpy.

The order to read it in: `step` (what is asked of a model runner), `sequence`, `block_manager`, `fair_queue`,
`scheduler`, `batch`, `containment`, `core`. `lookup` guesses a sequence's next tokens, and `speculation`
decides how many of them are tried.
"""
