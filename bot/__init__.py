"""Trinity: a Discord chat bot that runs Llama-2 on your own GPU, in the same process."""

__version__ = "0.1.0"
