"""Draws what was seen in a channel as SVG. The layout and the colours are our own; nothing is loaded from elsewhere."""

from collections.abc import Iterator, Sequence
from html import escape

from tests.showcase.conversations import Played
from tests.showcase.markup import Kind, Line, Run, Style, lines_of, runs_of
from tests.showcase.stage import Button, Entry, View

_WIDTH = 720
_LEFT = 74
_RIGHT = _WIDTH - 24
_LINE = 21
_FONT = "Helvetica, Arial, DejaVu Sans, sans-serif"
_MONO = "DejaVu Sans Mono, Menlo, Consolas, monospace"

_GROUND, _BAR, _CODE_GROUND, _PRIVATE_GROUND = "#2d3037", "#262930", "#212329", "#34394a"
_WORDS, _QUIET, _BRIGHT, _LINK, _CODE = "#dcdee3", "#9a9fab", "#f4f5f7", "#a9b8ff", "#e6c9a8"
_EDGE = "#41454f"
_AVATARS = ("#b3586d", "#3f8f7a", "#b07c34", "#5a7fb8")
_BOT_AVATAR = "#6d5bb5"
_BUTTONS = {1: "#4c5ac0", 3: "#2f7d4f", 4: "#b04747"}
_PLAIN_BUTTON = "#4b4f59"

_SIZES = {Kind.SMALL: 12.0, Kind.HEADING: 18.0}
_NARROW, _WIDE = set("ijltfrI.,:;'|!()[]-` "), set("mwMW@%")


def draw(played: Played) -> str:
    """The picture; the same for the same conversation."""
    conversation = played.conversation
    body, y = [], 58.0
    for view in played.views:
        drawn, y = _draw_view(view, y)
        body += drawn
    height = y + 14
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height:.0f}" '
            f'viewBox="0 0 {_WIDTH} {height:.0f}" role="img" font-family="{_FONT}">',
            f"<title>{escape(conversation.about)}</title>",
            f'<rect width="{_WIDTH}" height="{height:.0f}" rx="10" fill="{_GROUND}"/>',
            f'<path d="M0 42V10a10 10 0 0 1 10-10H{_WIDTH - 10}a10 10 0 0 1 10 10v32z" fill="{_BAR}"/>',
            _text(20, 27, f"# {conversation.channel}", size=15, colour=_BRIGHT, weight="bold"),
            _text(_RIGHT, 27, played.guild, size=12, colour=_QUIET, anchor="end"),
            *body,
            "</svg>\n",
        ]
    )


def _draw_view(view: View, y: float) -> tuple[list[str], float]:
    """What was seen at a moment, below a line that says which."""
    half = _measure(view.caption, 12) / 2 + 12
    middle = _WIDTH / 2
    drawn = [
        f'<path d="M24 {y:.0f}H{middle - half:.0f}M{middle + half:.0f} {y:.0f}H{_RIGHT}" stroke="{_EDGE}"/>',
        _text(middle, y + 4, view.caption, size=12, colour=_QUIET, anchor="middle"),
    ]
    y += 22
    for entry in view.entries:
        more, y = _draw_entry(entry, y)
        drawn += more
    return drawn, y


def _draw_entry(entry: Entry, y: float) -> tuple[list[str], float]:
    top = y - 4
    drawn: list[str] = []
    above = entry.replies_to.split("\n")[0] if entry.replies_to else ""
    if entry.used:
        person, _, command = entry.used.partition(" ")
        above = f"**{person}** `{command}`"
    if above:
        hook = (
            f'<path d="M36 {y + 17:.0f}v-3a6 6 0 0 1 6-6H{_LEFT - 6}" fill="none" stroke="{_EDGE}" stroke-width="2"/>'
        )
        first = next(_wrapped(runs_of(above), 12, _RIGHT - _LEFT))
        drawn += [hook, _line(_LEFT, y + 12, first, size=12, colour=_QUIET)]
        y += 20
    drawn += _avatar(entry, y)
    drawn.append(_text(_LEFT, y + 14, entry.author, size=15, colour=_BRIGHT, weight="bold"))
    if entry.is_bot:
        x = _LEFT + _measure(entry.author, 15, is_bold=True) + 10
        drawn.append(f'<rect x="{x:.1f}" y="{y + 2:.0f}" width="34" height="15" rx="4" fill="{_BOT_AVATAR}"/>')
        drawn.append(_text(x + 17, y + 13, "APP", size=10, colour=_BRIGHT, weight="bold", anchor="middle"))
    y += 22
    more, y = _draw_text(entry.text, y)
    drawn += more
    for name in entry.files:
        drawn.append(f'<rect x="{_LEFT}" y="{y + 2:.0f}" width="300" height="34" rx="6" fill="{_CODE_GROUND}"/>')
        drawn.append(_text(_LEFT + 14, y + 24, name, size=13, colour=_LINK))
        y += 42
    if entry.buttons:
        drawn += _draw_buttons(entry.buttons, y + 4)
        y += 40
    if entry.seen_only_by:
        drawn.append(_text(_LEFT, y + 12, entry.seen_only_by, size=11, colour=_QUIET))
        y += 18
        y += 4
        ground = f'<rect x="8" y="{top:.0f}" width="{_WIDTH - 16}" height="{y - top:.0f}" rx="6" '
        drawn.insert(0, ground + f'fill="{_PRIVATE_GROUND}"/>')
    return drawn, y + 14


def _avatar(entry: Entry, y: float) -> list[str]:
    colour = _BOT_AVATAR if entry.is_bot else _AVATARS[sum(map(ord, entry.author)) % len(_AVATARS)]
    return [
        f'<circle cx="40" cy="{y + 18:.0f}" r="18" fill="{colour}"/>',
        _text(40, y + 24, entry.author[0], size=16, colour=_BRIGHT, weight="bold", anchor="middle"),
    ]


def _draw_text(text: str, y: float) -> tuple[list[str], float]:
    """A message's text, with code on a ground of its own."""
    drawn: list[str] = []
    code: list[Line] = []
    for line in lines_of(text):
        if line.kind is Kind.CODE:
            code.append(line)
            continue
        more, y = _draw_code(code, y)
        drawn, code = drawn + more, []
        more, y = _draw_line(line, y)
        drawn += more
    more, y = _draw_code(code, y)
    return drawn + more, y


def _draw_line(line: Line, y: float) -> tuple[list[str], float]:
    if not line.runs:
        return [], y + _LINE / 2
    size = _SIZES.get(line.kind, 15.0)
    colour = _QUIET if line.kind is Kind.SMALL else _WORDS
    left = _LEFT + {Kind.QUOTE: 14, Kind.BULLET: 18}.get(line.kind, 0)
    top, drawn = y, []
    for words in _wrapped(line.runs, size, _RIGHT - left):
        drawn.append(_line(left, y + 14, words, size=size, colour=colour))
        y += max(size + 6, 18.0)
    if line.kind is Kind.QUOTE:
        drawn.append(f'<rect x="{_LEFT}" y="{top:.0f}" width="4" height="{y - top:.0f}" rx="2" fill="{_EDGE}"/>')
    if line.kind is Kind.BULLET:
        drawn.append(f'<circle cx="{_LEFT + 7}" cy="{top + 9:.0f}" r="2.5" fill="{_WORDS}"/>')
    return drawn, y


def _draw_code(lines: Sequence[Line], y: float) -> tuple[list[str], float]:
    if not lines:
        return [], y
    height = 18 * len(lines) + 14
    drawn = [
        f'<rect x="{_LEFT}" y="{y + 3:.0f}" width="{_RIGHT - _LEFT}" height="{height}" rx="5" fill="{_CODE_GROUND}" '
        f'stroke="{_EDGE}"/>'
    ]
    drawn += [
        _line(_LEFT + 12, y + 23 + 18 * index, line.runs, size=13, colour=_CODE) for index, line in enumerate(lines)
    ]
    return drawn, y + height + 10


def _draw_buttons(buttons: Sequence[Button], y: float) -> list[str]:
    drawn, x = [], float(_LEFT)
    for button in buttons:
        width = _measure(button.label, 14) + 32
        colour = _BUTTONS.get(button.style, _PLAIN_BUTTON)
        drawn.append(f'<rect x="{x:.1f}" y="{y:.0f}" width="{width:.1f}" height="30" rx="5" fill="{colour}"/>')
        drawn.append(_text(x + width / 2, y + 20, button.label, size=14, colour=_BRIGHT, anchor="middle"))
        x += width + 8
    return drawn


def _wrapped(runs: Sequence[Run], size: float, width: float) -> Iterator[list[Run]]:
    """The runs in lines of at most about this width, broken at blanks; at least one line."""
    line: list[Run] = []
    room = width
    for word in _words(runs):
        takes = _measure(word.text, size, is_bold=word.style.is_bold, is_code=word.style.is_code)
        if line and takes > room and word.text.strip():
            yield line
            line, room = [], width
        if line or word.text.strip():
            line.append(word)
            room -= takes
    yield line


def _words(runs: Sequence[Run]) -> Iterator[Run]:
    """Each word and each blank by itself; inline code stays whole where it is short."""
    for run in runs:
        if run.style.is_code and len(run.text) < 40:
            yield run
            continue
        for index, word in enumerate(run.text.split(" ")):
            if index:
                yield Run(" ", run.style)
            if word:
                yield Run(word, run.style)


def _measure(text: str, size: float, *, is_bold: bool = False, is_code: bool = False) -> float:
    """About how wide a text is; a little too wide rather than too narrow, since fonts differ."""
    if is_code:
        return 0.61 * size * len(text)
    units = sum(
        0.33 if letter in _NARROW else 0.9 if letter in _WIDE or ord(letter) > 0x2E80 else 0.6 for letter in text
    )
    return units * size * (1.1 if is_bold else 1.0)


def _line(x: float, y: float, runs: Sequence[Run], *, size: float, colour: str) -> str:
    """One line; the words follow each other as the viewer's font has them, so that nothing overlaps."""
    joined: list[Run] = []
    for run in runs:
        if joined and joined[-1].style == run.style:
            joined[-1] = Run(joined[-1].text + run.text, run.style)
        else:
            joined.append(run)
    spans = "".join(_span(run, size) for run in joined)
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="{colour}" xml:space="preserve">{spans}</text>'


def _span(run: Run, size: float) -> str:
    style: Style = run.style
    looks = ""
    if style.is_bold:
        looks += ' font-weight="bold"'
    if style.is_italic:
        looks += ' font-style="italic"'
    if style.is_code:
        looks += f' font-family="{_MONO}" font-size="{min(size, 13.0):g}" fill="{_CODE}"'
    if style.is_mention:
        looks += f' fill="{_LINK}"'
    words = escape(run.text, quote=False)
    return f"<tspan{looks}>{words}</tspan>" if looks else words


def _text(
    x: float, y: float, words: str, *, size: int, colour: str, weight: str = "normal", anchor: str = "start"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" '
        f'fill="{colour}">{escape(words, quote=False)}</text>'
    )
