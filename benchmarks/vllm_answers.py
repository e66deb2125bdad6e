"""Asks vLLM what `benchmarks.inference --part vllm` asks Trinity; in a process of its own, with nothing of ours in it.

python benchmarks/vllm_answers.py FOLDER JOBS.json SECONDS.json

FOLDER holds a config.json; the weights are random. A job is a list of prompts (token ids) that are asked at once, and
how many tokens each answer has; what is written is the seconds of each.
"""

import json
import sys
import time
from pathlib import Path

import vllm

_MOST_BATCHED_TOKENS = 16384


def main() -> int:
    """Do the jobs in their order."""
    folder, jobs, seconds = (Path(argument) for argument in sys.argv[1:])
    model = vllm.LLM(
        model=str(folder),
        load_format="dummy",
        skip_tokenizer_init=True,
        dtype="float16",
        max_num_batched_tokens=_MOST_BATCHED_TOKENS,
        enable_prefix_caching=True,
    )
    times = []
    for prompts, num_new in json.loads(jobs.read_text()):
        sampling = vllm.SamplingParams(temperature=0, max_tokens=num_new, ignore_eos=True, detokenize=False)
        start = time.perf_counter()
        found = model.generate([{"prompt_token_ids": ids} for ids in prompts], sampling, use_tqdm=False)
        times.append(time.perf_counter() - start)
        assert all(len(one.outputs[0].token_ids) == num_new for one in found)
    seconds.write_text(json.dumps({"version": vllm.__version__, "seconds": times}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
