"""An answer as the messages that show it: headings and tables first become what can be shown, then all of it is cut."""

from bot.delivery.headings import Headings
from bot.delivery.split import Splitter
from bot.delivery.tables import Tables


class ShownText:
    """Takes text in any pieces."""

    def __init__(self) -> None:
        self._headings = Headings()
        self._tables = Tables()
        self._splitter = Splitter()
        self._unread: list[str] = []
        """What was written since somebody wanted to see pages. A piece is a token; pages are shown once a second."""

    @property
    def pages(self) -> list[str]:
        """The text of each message so far."""
        self._read()
        return self._splitter.pages_with(self._tables.tail)

    def page(self, index: int, otherwise: str) -> str:
        """The page of that number; `otherwise` where a table takes fewer pages than it took before."""
        pages = self.pages
        return pages[index] if index < len(pages) else otherwise

    def write(self, text: str) -> None:
        """Add text of the answer."""
        self._unread.append(text)

    def end(self) -> None:
        """Nothing more comes, so what may have become a heading or a table is what it is."""
        self._read()
        self._splitter.feed(self._tables.feed(self._headings.finish()) + self._tables.finish())

    def note(self, line: str) -> None:
        """Add a small line that is no part of the answer."""
        self.end()
        closing = "\n```" if self._splitter.ends_in_code_block else ""
        start = closing + "\n" if self._splitter.pages else ""
        self._splitter.feed(f"{start}-# {line}\n")

    def _read(self) -> None:
        if self._unread:
            text, self._unread = "".join(self._unread), []
            self._splitter.feed(self._tables.feed(self._headings.feed(text)))
