"""The rows of `trinity bench` as a PNG, drawn dot by dot: no library for pictures has to be installed for one of them.

Letters are capitals of five by seven dots, our own.
"""

import struct
import zlib
from collections.abc import Sequence

from bot.operations.bench import Row

# Each letter's seven rows from above, two hexadecimal digits each; a row's leftmost dot is its highest bit of five.
_LETTERS = {
    "A": "0e11111f111111", "B": "1e11111e11111e", "C": "0e11101010110e", "D": "1e11111111111e",
    "E": "1f10101e10101f", "F": "1f10101e101010", "G": "0e11101711110f", "H": "1111111f111111",
    "I": "0e04040404040e", "J": "0702020202120c", "K": "11121418141211", "L": "1010101010101f",
    "M": "111b1515111111", "N": "11191513111111", "O": "0e11111111110e", "P": "1e11111e101010",
    "Q": "0e11111115120d", "R": "1e11111e141211", "S": "0f10100e01011e", "T": "1f040404040404",
    "U": "1111111111110e", "V": "11111111110a04", "W": "11111115151b11", "X": "11110a040a1111",
    "Y": "11110a04040404", "Z": "1f01020408101f", "0": "0e11131519110e", "1": "040c040404040e",
    "2": "0e11010608101f", "3": "1e01010e01011e", "4": "02060a121f0202", "5": "1f101e0101110e",
    "6": "0e10101e11110e", "7": "1f010204080808", "8": "0e11110e11110e", "9": "0e11110f01010e",
    ".": "00000000000c0c", ",": "00000000060408", ":": "000c0c000c0c00", "(": "02040808080402",
    ")": "08040202020408", "/": "01010204081010", "-": "0000000e000000", "_": "0000000000001f",
    "+": "0004041f040400", "%": "18190204081303", "?": "0e110102040004",

}  # fmt: skip
_UNKNOWN = _LETTERS["?"]
_GROUND, _INK, _SOFT, _BAR = range(4)
_COLOURS = bytes.fromhex("ffffff 1c2024 6b737c 3a55c4")
_SCALE = 2
_ADVANCE = 6 * _SCALE
_LINE = 26
_WIDTH = 1170
_BAR_LEFT, _BAR_WIDTH, _VALUE_LEFT, _NOTE_LEFT = 510, 150, 680, 870
_MARGIN = 20


class _Canvas:
    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.rows = [bytearray(width) for _ in range(height)]

    def fill(self, left: int, top: int, width: int, height: int, colour: int) -> None:
        for row in self.rows[top : top + height]:
            width = min(width, self.width - left)
            row[left : left + width] = bytes([colour]) * width

    def write(self, left: int, top: int, text: str, colour: int) -> None:
        for letter in text.upper():
            if left + _ADVANCE > self.width:
                return
            for y, bits in enumerate(bytes.fromhex("00" * 7 if letter == " " else _LETTERS.get(letter, _UNKNOWN))):
                for x in range(5):
                    if bits >> (4 - x) & 1:
                        self.fill(left + x * _SCALE, top + y * _SCALE, _SCALE, _SCALE, colour)
            left += _ADVANCE

    def png(self) -> bytes:
        """The picture, with a palette."""
        # Each row begins with the number of its filter: none.
        dots = zlib.compress(b"".join(b"\0" + bytes(row) for row in self.rows), 9)
        head = struct.pack(">IIBBBBB", self.width, len(self.rows), 8, 3, 0, 0, 0)
        chunks = ((b"IHDR", head), (b"PLTE", _COLOURS), (b"IDAT", dots), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, chunks))


def _chunk(of: tuple[bytes, bytes]) -> bytes:
    kind, held = of
    return struct.pack(">I", len(held)) + kind + held + struct.pack(">I", zlib.crc32(kind + held))


def draw(title: str, rows: Sequence[Row]) -> bytes:
    """The rows as a PNG; figures of one unit are bars of one scale."""
    canvas = _Canvas(_WIDTH, 2 * _MARGIN + _LINE * (len(rows) + 2))
    canvas.write(_MARGIN, _MARGIN, title, _INK)
    highest = {row.unit: max(other.value for other in rows if other.unit == row.unit) or 1.0 for row in rows}
    for number, row in enumerate(rows):
        top = _MARGIN + _LINE * (number + 2)
        canvas.write(_MARGIN, top, row.name, _INK)
        canvas.fill(_BAR_LEFT, top, max(1, round(_BAR_WIDTH * row.value / highest[row.unit])), 7 * _SCALE, _BAR)
        canvas.write(_VALUE_LEFT, top, f"{row.shown} {row.unit}", _INK)
        canvas.write(_NOTE_LEFT, top, row.note, _SOFT)
    return canvas.png()
