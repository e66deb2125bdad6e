"""The operations in Triton: `choice` says which a card gets, `triton_ops` launches them, `tiles` how they are cut.

What is launched with memory or descriptors of its own stands beside: `dot_launch` (attention on tensor cores),
`packed_launch` (that of large prefill passes on Hopper), `wide_sampler`.

Everything but `choice` and `self_test` needs triton, and is imported only where a card may use it.
"""
