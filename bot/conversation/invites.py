"""Which addresses are invitations to another Discord server, however they are written.

An address is brought to the form in which a client opens it, as the URL standard of WHATWG and UTS 46 say: width and
case, percent-encoding, backslashes, credentials, port, dots behind the host, Punycode, empty and dotted path segments.
"""

import re
import unicodedata
from urllib.parse import unquote

from bot.conversation.markup import INVISIBLE

SHORT_HOSTS = ("discord.gg", "discord.me", "discord.io", "discord.li", "dsc.gg", "invite.gg")
"""Whatever stands behind these hosts is an invitation."""
LONG_HOSTS = ("discord.com", "discordapp.com")
"""Here it is one where the path begins with /invite."""
MAX_ADDRESS = 300
"""Of a longer address only so much is looked at."""

_HOSTS = (*SHORT_HOSTS, *LONG_HOSTS)
_UNSEEN = re.compile(f"[\\s\x00-\x1f{INVISIBLE}]")
_DOTS = re.compile("[\u3002\uff0e\uff61]")
_SLASHES = re.compile(r"\A[\\/]+")
_AUTHORITY_END = re.compile(r"[\\/?#]")
_MARKDOWN_ESCAPE = re.compile(r"\\([^0-9A-Za-z\s])")
_PERCENT_ROUNDS = 3


def may_be_invite(address: str) -> bool:
    """Whether `normal_host` has to look at `address`: a quick answer that is True too often."""
    plain = address.lower().replace("\\", "")
    return not plain.isascii() or "%" in plain or "xn--" in plain or any(host in plain for host in _HOSTS)


def normal_host(address: str) -> str:
    """The host of an invitation, in its normal form, if `address` (without its scheme) is one; else ""."""
    for written in (address, _MARKDOWN_ESCAPE.sub(r"\1", address)):
        folded = _SLASHES.sub("", _folded(written), count=1)
        authority = _AUTHORITY_END.split(folded, maxsplit=1)[0]
        path = re.split("[?#]", folded[len(authority) :], maxsplit=1)[0]
        host = _host(authority)
        if _is_one_of(host, SHORT_HOSTS) or (_is_one_of(host, LONG_HOSTS) and _leads_to_invite(path)):
            return host
    return ""


def authority_end(address: str) -> int:
    """Where the host and its port end in `address`, which is written without its scheme."""
    num_slashes = len(address) - len(address.lstrip("\\/"))
    return num_slashes + len(_AUTHORITY_END.split(address[num_slashes:], maxsplit=1)[0])


def _folded(text: str) -> str:
    for _ in range(_PERCENT_ROUNDS):
        text = _UNSEEN.sub(
            "", unicodedata.normalize("NFKC", _DOTS.sub(".", unquote(text, errors="replace")))
        ).casefold()
    return text


def _host(authority: str) -> str:
    host = re.sub(r":\d*$", "", authority.rpartition("@")[2]).strip(".")
    return ".".join(_folded(_decoded(label)) for label in host.split("."))


def _decoded(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except (UnicodeError, OverflowError):
        return label


def _is_one_of(host: str, hosts: tuple[str, ...]) -> bool:
    return any(host == known or host.endswith("." + known) for known in hosts)


def _leads_to_invite(path: str) -> bool:
    segments: list[str] = []
    for segment in re.split(r"[\\/]", path):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    # An address that is so long that its path isn't known to the end is taken for one.
    return segments[:1] in (["invite"], ["invites"]) or (len(path) > MAX_ADDRESS // 2 and not segments)
