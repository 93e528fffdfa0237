"""Markdown of ours as HTML: no HTML of its own, no foreign address, only pictures that stand beside it."""

from collections.abc import Collection

from markdown_it import MarkdownIt
from markupsafe import Markup

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


def html_of(text: str, pictures_at: str, pictures: Collection[str]) -> Markup:
    """Safe to put into a page: whatever the text holds, it makes no element that Markdown does not know.

    Args:
        pictures_at: where the console serves the pictures, ending with a slash.
        pictures: their names; a picture of another name is left out.
    """
    tokens = _MARKDOWN.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"  # the page has its own h1
        if token.type == "table_open":
            token.attrSet("tabindex", "0")  # a wide one scrolls, by keyboard too
        kept = []
        for child in token.children or ():
            if child.type == "image":
                name = str(child.attrs.get("src", ""))
                if name not in pictures:
                    continue
                child.attrs["src"] = pictures_at + name
            kept.append(child)
        if token.children is not None:
            token.children = kept
    return Markup(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))  # noqa: S704  # html is off: all is escaped
