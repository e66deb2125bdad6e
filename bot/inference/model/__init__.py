"""A Llama in torch.

`shape`, `weights` and `kv_cache` are its tensors; `llama` is the model, `ops` and `reference_ops` its arithmetic;
`inputs`, `execution` and `graphs` run a pass; `runner` turns a step into one; `device_memory` is what it can give back.
"""
