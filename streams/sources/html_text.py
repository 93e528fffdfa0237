"""What a person reads of a piece of HTML."""

from typing import Final

from lxml import etree

BLOCKS: Final = frozenset(
    "address article aside blockquote br caption dd div dl dt figcaption figure footer form h1 h2 h3 h4 h5 h6 header "  # noqa: SIM905  # a list of words
    "hr li main nav ol p pre section table td th tr ul".split()
)
UNREAD: Final = ("script", "style", "template", "noscript", "iframe", "object", "svg", "head")
_PARSER_OPTIONS: Final = {"encoding": "utf-8", "remove_comments": True, "remove_pis": True, "no_network": True}


def text_of(html: str) -> str:
    """The words, one line for each block; whatever cannot be read as HTML is text."""
    root = etree.HTML(f"<body>{html}".encode("utf-8", "replace"), etree.HTMLParser(**_PARSER_OPTIONS))
    if root is None:
        return lines_of(html)
    etree.strip_elements(root, *UNREAD, with_tail=False)
    words: list[str] = []
    for event, element in etree.iterwalk(root, events=("start", "end")):
        words.append("\n" if element.tag in BLOCKS else "")
        words.append((element.text if event == "start" else element.tail) or "")
    return lines_of("".join(words))


def lines_of(text: str) -> str:
    """Without blank lines, and with single spaces."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)
