"""Runs a Llama: prompt token ids go in, text deltas come out, for any number of requests side by side.

Read it in this order:

- `engine`: the border. What a request is, what comes back, which errors there are.
- `local`: the engine in this process, on the event loop's side; `messages` is what crosses to the thread.
- `worker`: the thread that owns every tensor, and its loop; `detokenizer` makes text of token ids.
- `idle`: giving the card back while nobody asks.
- `scheduling`: who runs next and in which blocks of the cache. Plain Python: no torch, no numpy. `step` is what it asks
  of a model runner, `core` one turn of schedule, launch, read back, update.
- `model`: a Llama in torch: `weights`, `llama`, the operations it asks for (`ops`), their plain form
  (`reference_ops`) and the CPU's (`cpu_ops`), and the `runner` that turns a step into tensors.
- `kernels`: the operations in Triton, for who tunes a card: which of them a card gets, and the test they must pass.
- `loading`: from a model's name to a runner: files, config, weights, and how memory is given out.
"""
