#!/bin/sh
# transformers 5.23.0 loads a Llama tokenizer.json without its normaliser, so a prompt gets other ids.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
    "transformers==5.23.0" "tokenizers==0.23.3"
HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error "$folder/venv/bin/python" - "$folder" <<'PYTHON'
import json
import pathlib
import sys

import tokenizers
import transformers
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

print("about:   the ids of a prompt whose turns end in </s>, or whose text starts with a blank")
print(f"version: transformers {transformers.__version__}, tokenizers {tokenizers.__version__}")
print("guess:   AutoTokenizer gives the ids that the checkpoint's own tokenizer.json gives")

# A small tokenizer.json of the form that Llama 2's has: the normaliser puts the first blank in, nothing splits words.
own = tokenizers.Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
own.pre_tokenizer = pre_tokenizers.Metaspace()
special = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, show_progress=False)
own.train_from_iterator(["tea with milk and tea with honey"] * 3, trainer)
own.pre_tokenizer = None
own.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
own.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(),
                                 decoders.Strip(" ", 1, 0)])
checkpoint = pathlib.Path(sys.argv[1])
own.save(str(checkpoint / "tokenizer.json"))
names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
(checkpoint / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "LlamaTokenizer", **names}))
(checkpoint / "config.json").write_text(json.dumps({"model_type": "llama"}))

auto = transformers.AutoTokenizer.from_pretrained(checkpoint)
fast = transformers.PreTrainedTokenizerFast.from_pretrained(checkpoint)
outcomes = []
for number, text in enumerate(["tea with milk", " tea with milk", "<s>tea</s><s>milk</s>"]):
    expected = own.encode(text, add_special_tokens=False).tokens
    found = auto.convert_ids_to_tokens(auto.encode(text, add_special_tokens=False))
    same = fast.convert_ids_to_tokens(fast.encode(text, add_special_tokens=False)) == expected
    print("seen:   " if number == 0 else "        ", repr(text), "tokenizer.json:", *expected, "| AutoTokenizer:", *found)
    outcomes.append((found == expected, same))
print("         PreTrainedTokenizerFast agrees with tokenizer.json each time:", all(same for _, same in outcomes))
print("source:  transformers/models/llama/tokenization_llama.py, LlamaTokenizer.__init__: no normaliser, and a Metaspace")
print("         pre-tokenizer in its place; transformers issue 45488 tells of byte-level files, which are let alone now")
if outcomes != [(True, True), (False, True), (False, True)]:
    sys.exit("This is no longer so.")
PYTHON
