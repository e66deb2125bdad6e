#!/bin/sh
# gguf 0.19.0 writes no empty text and no empty list, so a file copied key by key lacks keys.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check "gguf==0.19.0" "numpy==2.4.6"
"$folder/venv/bin/python" - "$folder/model.gguf" <<'PYTHON'
import sys
from importlib.metadata import version

import gguf

print("about:   a checkpoint's metadata, where an empty chat template or system prompt says something else than none")
print("version: gguf", version("gguf"))
print("guess:   a value that was added to the writer is in the file")

writer = gguf.GGUFWriter(sys.argv[1], "llama")
writer.add_bool("try.false", False)
writer.add_uint32("try.zero", 0)
writer.add_string("try.text", "")
writer.add_array("try.list", [])
writer.add_key_value("try.text_by_type", "", gguf.GGUFValueType.STRING)
added = ["try.false", "try.zero", "try.text", "try.list", "try.text_by_type"]
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.close()

fields = gguf.GGUFReader(sys.argv[1]).fields
left_out = [name for name in added if name not in fields]
print("seen:    read back:", {name: fields[name].contents() for name in added if name in fields})
print("         left out without a word:", *left_out)
print("source:  gguf-py/gguf/gguf_writer.py, GGUFWriter.add_string and add_array return when the value is empty (lists")
print("         since llama.cpp pull request 8774); the format itself has a length before each, and the reader takes 0")
if left_out != ["try.text", "try.list"] or fields["try.text_by_type"].contents() != "":
    sys.exit("This is no longer so.")
PYTHON
