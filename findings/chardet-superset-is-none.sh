#!/bin/sh
# The superset that chardet 7.7.0 recommends for decoding Cyrillic in ISO-8859-5 has another letter at each place.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check "chardet==7.7.0"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import chardet

print("about:   detect(prefer_superset=True), recommended when the result will be used to decode")
print(f"version: chardet {chardet.__version__}")
print("guess:   it names an encoding in which what was detected reads the same, and more can be read")

TEXT = "Встреча начнётся в пятницу в три часа дня. Не забудьте материалы. Спасибо!"
content = TEXT.encode("iso8859-5")
plain = chardet.detect(content, prefer_superset=False)["encoding"]
superset = chardet.detect(content, prefer_superset=True)["encoding"]
num_changed = sum(one != other for one, other in zip(content.decode(plain), content.decode(superset)))
print(f"seen:    {plain} is found and {superset} reported: {num_changed} of {len(TEXT)} letters are others")
print(f"         {content.decode(superset)[:40]}")
print("source:  chardet/output_names.py, PREFERRED_SUPERSET: iso8859-5 becomes cp1251, which is checked for decoding")
print("         without an error only. unicode.org/Public/MAPPINGS: 0xB0 is U+0410 in 8859-5.TXT, U+00B0 in CP1251.TXT.")
if (plain, superset) != ("ISO-8859-5", "Windows-1251") or num_changed < 50:
    sys.exit("This is no longer so.")
PYTHON
