"""From a model's name to a runner: `config` and `files` find and judge it, `weights` fills tensors, `build` joins all.

How a device's memory is given out stands in `memory`.
"""
