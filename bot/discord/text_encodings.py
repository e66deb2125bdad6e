"""How the bytes of a text file are read: what they say of themselves, else UTF-8, else as a guess, which is said.

UTF-8 and a byte order mark are sure. The older encodings of languages can only be guessed from what letters are usual
(chardet does that), and in a few words not even that: so whoever sent the file is told what it was taken for.
"""

import codecs
import unicodedata
from typing import NamedTuple

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins as that of UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SWITCHES = (b"\x1b$", b"\x1b(")
"""How encodings of seven bits, such as ISO-2022-JP, change their letters."""
_GUESSED_BYTES = 32_768
"""More of a file isn't looked at: this much takes some hundredths of a second."""
_DOUBTFUL = 0.05
"""Below this confidence the commonest encoding is as good a guess as any."""
_COMMONEST = "Windows-1252"
_ALLOWED_CONTROLS = frozenset("\t\n\r\f\b\x1b")
_SUPERSETS = {"ISO-8859-1": "Windows-1252", "EUC-KR": "CP949", "GB2312": "GB18030", "SHIFT_JIS": "CP932"}
"""What programs mean that name the first; behind what was looked at there may be more of it."""
_COMMON_NAMES = {"CP932": "Shift JIS", "CP949": "EUC-KR", "GB18030": "GBK"}


class Decoded(NamedTuple):
    """A file's text."""

    text: str
    guess: str = ""
    """The encoding that it was taken for, where that was guessed."""


def decoded(content: bytes) -> Decoded | None:
    """A file's text; None where it is none. A guess takes a moment: not for the event loop."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _checked(Decoded(content[len(mark) :].decode(encoding, "replace")))
    if b"\0" in content:  # of all that is text, only these have one
        return _checked(_of_two_bytes(content))
    if (text := sure(content)) is not None:
        return _checked(Decoded(text))
    return _checked(_guessed(content))


def sure(content: bytes) -> str | None:
    """The text of what is UTF-8 beyond doubt."""
    if any(switch in content for switch in _SWITCHES):
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _of_two_bytes(content: bytes) -> Decoded | None:
    """UTF-16 without a mark: in the right order nothing is unassigned, and letters are near each other."""
    if len(content) % 2:
        return None
    texts = []
    for encoding in ("utf-16-le", "utf-16-be"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text and not any(unicodedata.category(letter) in {"Cn", "Co", "Cs"} for letter in text):
            texts.append(text)
    if not texts:
        return None
    return Decoded(min(texts, key=lambda text: len({ord(letter) >> 8 for letter in text})))


def _guessed(content: bytes) -> Decoded | None:
    # Hardly anybody needs it, and it takes half a second and some megabytes.
    import chardet  # noqa: PLC0415
    from chardet.enums import EncodingEra  # noqa: PLC0415

    found = chardet.detect(
        content,
        encoding_era=EncodingEra.MODERN_WEB | EncodingEra.LEGACY_ISO | EncodingEra.DOS,
        max_bytes=_GUESSED_BYTES,
        prefer_superset=False,  # its supersets are none: ISO-8859-5 becomes Windows-1251, where each letter is another
    )
    if found["encoding"] is None:
        return None
    encoding = _COMMONEST if found["confidence"] < _DOUBTFUL else str(found["encoding"])
    encoding = _SUPERSETS.get(encoding.upper(), encoding)
    try:
        text = content.decode(encoding, "replace")
    except LookupError:  # a name that Python doesn't know
        encoding, text = _COMMONEST, content.decode(_COMMONEST, "replace")
    return Decoded(text, _COMMON_NAMES.get(encoding, encoding))


def _checked(found: Decoded | None) -> Decoded | None:
    if found is None:
        return None
    text = found.text.replace("\r\n", "\n").replace("\r", "\n")
    num_controls = sum(letter < " " and letter not in _ALLOWED_CONTROLS for letter in text)
    return None if "\0" in text or num_controls > len(text) // 50 else Decoded(text, found.guess)
