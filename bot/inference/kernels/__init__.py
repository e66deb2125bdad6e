"""The operations in Triton: `choice` says which a card gets, `triton_ops` launches them, `tiles` how they are cut.

Everything but `choice` and `self_test` needs triton, and is imported only where a card may use it.
"""
