"""The same engine on a server: vLLM, SGLang, TGI, llama.cpp and others that speak OpenAI's completions.

- `events`: what such a server streams, one event after the other.
- `server`: which server it is and what it can do, asked once at the start and again whenever it was away.
- `prompts`: a prompt as the server takes it: token ids, or text in which nobody's words are structure.
- `requests`: the whole request, as each kind of server takes it.
- `answer`: what came of one so far, over all the streams that it takes, and what their events mean.
- `line`: who is sent next, as many at once as the server takes.
- `engine`: an `Engine` over all of that. It loads no torch.
"""
