"""Makes `goldens.json` anew: `python -m tests.conversation.goldens.make`.

The references are the vendors' own libraries, in an environment that is thrown away: the wheel of `llama-models` also
installs a package that is called `models`. About 150 MB are fetched from PyPI.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from tests.conversation.goldens.vocabularies import FOLDER, vocabulary_folder

GOLDENS = Path(__file__).with_name("goldens.json")
PINS = ("llama-models==0.3.0", "mistral-common[sentencepiece]==1.13.1", "transformers==4.46.3", "pillow", "tiktoken")
ALONE = ("fschat==0.2.36",)
"""Of this its templates are wanted, and nothing that it depends on."""
REFERENCES = {
    "llama-3": ("llama-models 0.3.0, ChatFormat.encode_dialog_prompt", "llama-3"),
    "chatml": ("SmolLM2's template rendered and encoded at once by transformers 4.46.3", "smollm2"),
    "mistral-v1": ("mistral-common 1.13.1, MistralTokenizer.v1, on sentencepiece", "mistral-v1"),
    "mistral-v2": ("mistral-common 1.13.1, MistralTokenizer.v2, on sentencepiece", "mistral-v2"),
    "mistral-v3": ("mistral-common 1.13.1, MistralTokenizer.v3, on sentencepiece", "mistral-v3"),
    "zephyr": ("zephyr-7b-beta's template rendered and encoded by transformers 4.46.3, on sentencepiece", "mistral-v1"),
    "vicuna": ("fschat 0.2.36, vicuna_v1.1, encoded by transformers 4.46.3, on sentencepiece", "mistral-v1"),
}
"""What made the ids, and of which vocabulary they are."""


def main() -> None:
    """Fetch, run and write."""
    with tempfile.TemporaryDirectory() as work:
        smollm2 = vocabulary_folder("smollm2", Path(FOLDER or work))
        venv.create(Path(work) / "venv", with_pip=True)
        python = str(Path(work) / "venv" / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "-q", *PINS], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", *ALONE], check=True)
        program = Path(__file__).with_name("references.py")
        made = subprocess.run([python, str(program), str(smollm2)], check=True, stdout=subprocess.PIPE, text=True)
    goldens = {
        name: {
            "reference": REFERENCES[name][0],
            "vocabulary": REFERENCES[name][1],
            "first": ids[0],
            "digests": [digest(each) for each in ids],
        }
        for name, ids in json.loads(made.stdout).items()
    }
    GOLDENS.write_text(json.dumps(goldens, indent=1) + "\n")
    sys.stdout.write(f"{GOLDENS} is made anew\n")


def digest(token_ids: list[int]) -> str:
    """A short name for ids: how many, and a hash of them."""
    return f"{len(token_ids)} {hashlib.sha256(' '.join(map(str, token_ids)).encode()).hexdigest()[:16]}"


if __name__ == "__main__":
    main()
