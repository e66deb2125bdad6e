#!/bin/sh
# safetensors 0.8.0 writes the metadata in another order at every save, so equal checkpoints get unequal hashes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check "safetensors==0.8.0" "numpy==2.4.6"
"$folder/venv/bin/python" - <<'PYTHON'
import hashlib
import sys

import numpy
import safetensors
from safetensors.numpy import save

print("about:   a checkpoint's hash, as a cache key or to see whether a download is the file that was published")
print("version: safetensors", safetensors.__version__)
print("guess:   the same tensors with the same metadata are the same bytes: the tensors' names are sorted on purpose")

tensors = {"norm": numpy.ones(4, dtype=numpy.float32), "embedding": numpy.zeros((2, 4), dtype=numpy.float32)}
metadata = {"format": "pt", "step": "1000", "source": "run 7", "licence": "MIT", "dtype": "float32"}


def number_of_different_files(**more):
    return len({hashlib.sha256(save(tensors, **more)).hexdigest() for _ in range(20)})


with_metadata, without_metadata = number_of_different_files(metadata=metadata), number_of_different_files()
print(f"seen:    20 saves in one process give {with_metadata} different files, without metadata {without_metadata}")
print("source:  safetensors/src/tensor.rs, struct Metadata (a HashMap, written in its own order); safetensors issue 584")
if with_metadata == 1 or without_metadata != 1:
    sys.exit("This is no longer so.")
PYTHON
