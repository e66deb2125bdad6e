"""A Llama in torch.

`shape`, `weights` and `kv_cache` are its tensors; `llama` is the model, `ops` what it asks of arithmetic, which
`reference_ops` does plainly and `cpu_ops` (with `running_copy`) faster on the CPU; `inputs`, `execution` and `graphs`
run a pass; `runner` turns a step into one; `device_memory` is what it can give back.
"""
