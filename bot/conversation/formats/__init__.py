"""The chat formats of model families, and which of them is a model's own.

- `protocol`: what a format is to everything else, and `vocabulary_format` what most of them have in common.
- `llama2`, `llama3`, `chatml`, `mistral`, `zephyr`, `vicuna`: one family each, after its vendor's own code or template.
- `choice`: the one that a model was trained on.
"""
