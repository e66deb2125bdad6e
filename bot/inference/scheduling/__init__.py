"""Who runs next and in which blocks of the cache: plain Python, without torch and numpy.

The order to read it in: `step` (what is asked of a model runner), `sequence`, `block_manager`, `fair_queue`,
`scheduler`, `batch`, `containment`, `core`.
"""
