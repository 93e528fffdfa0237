"""HTML out of crawled text: tags, comments, scripts and entities, in time that grows with the text alone.

What only looks like markup stays: "<3", "a<b", "List<String>", "R&D", "?a=1&copy=2". So a tag counts when it has a
name that HTML knows and attributes of the form name=value, and an entity when it has its semicolon.
"""

import html
import re
from collections.abc import Callable
from typing import Final

_MAYBE: Final = re.compile(r"<[a-zA-Z/!?&]|&[#a-zA-Z]")
_CANDIDATE: Final = re.compile(r"<[^<>]*>")  # no bracket inside: each character is looked at once, whatever comes
_BLOCK: Final = frozenset(
    re.findall(
        r"\S+",
        """address article aside blockquote body br center dd div dl dt fieldset figcaption figure footer form
        h1 h2 h3 h4 h5 h6 head header hr html li main nav ol option p pre section
        table tbody td tfoot th thead title tr ul""",
    )
)
_INLINE: Final = frozenset(
    re.findall(
        r"\S+",
        """a abbr acronym area audio b base bdi bdo big button canvas caption cite code col colgroup data datalist del
        details dfn dialog em embed font frame frameset i iframe img input ins kbd label legend link map mark marquee
        meta meter noscript o:p object optgroup output param picture progress q rp rt ruby s samp script select small
        source span strike strong style sub summary sup svg template textarea time track tt u var video wbr""",
    )
)
_TAG: Final = re.compile(  # possessive throughout: it never goes back over what it has read
    r"</?+([a-zA-Z][a-zA-Z0-9:]*+)"
    r"(?:\s++(?:(?:allowfullscreen|async|autoplay|checked|controls|defer|disabled|hidden|loop|muted|nofollow|readonly"
    r"|required|selected)(?=[\s/>])"
    r"|[a-zA-Z_:@][a-zA-Z0-9_:.-]*+\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s\"'>]++)))*+\s*+(?:/\s*+)?+>"
)
_DECLARATION: Final = re.compile(r"<(?:!doctype|\?xml)\b[^>]*+>", re.IGNORECASE)
_ALT: Final = re.compile(r"\balt\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s\"'>]++))", re.IGNORECASE)
_UNREAD: Final = re.compile(r"<!--|<(script|style)\b[^<>]*>", re.IGNORECASE)
_CLOSING: Final = {
    "!--": re.compile("-->"),
    "script": re.compile(r"</script\s*+>", re.IGNORECASE),
    "style": re.compile(r"</style\s*+>", re.IGNORECASE),
}
_ENTITY: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_MOST_ENTITY_CHARS: Final = 33  # between "&" and ";"
_TOKEN: Final = re.compile(r"[^<>&;]+|[<>&;]")
_SPACES: Final = re.compile(r"\s+")


def without_markup(text: str, clean: Callable[[str], str]) -> str:
    """The text that a reader of the page sees; block elements end a line, an image is its `alt`.

    Text that was escaped twice, as feeds do, is undone twice. A second call changes nothing.

    Args:
        clean: is given each character that an entity stands for, and the text before it; what it does not want
            in a text does not get in by way of an entity.
    """
    if not _MAYBE.search(text):
        return text
    plain = _settle(_CANDIDATE.sub(_replaced, _without_unread(text)), clean)
    return plain if plain == text else _SPACES.sub(_one_space, plain).strip()


def _one_space(spaces: re.Match[str]) -> str:
    lines = spaces[0].count("\n")
    return "\n\n" if lines > 1 else "\n" if lines else " "


def _replacement(tag: str) -> str | None:
    """What stands for a tag; None when it is none."""
    if not (found := _TAG.fullmatch(tag)):
        return "" if _DECLARATION.fullmatch(tag) else None
    name = found[1].lower()
    if name == "img":
        alt = _ALT.search(tag)
        return next(filter(None, alt.groups()), "") if alt else ""
    return "\n" if name in _BLOCK else "" if name in _INLINE else None


def _replaced(tag: re.Match[str]) -> str:
    found = _replacement(tag[0])
    return tag[0] if found is None else found


def _without_unread(text: str) -> str:
    """Without comments, scripts and style sheets; what is not closed stays."""
    kept, place = [], 0
    endless: set[str] = set()  # what has no end behind here has none further on: nobody looks for it again
    for opening in _UNREAD.finditer(text):
        name = (opening[1] or "!--").lower()
        if opening.start() < place or name in endless or (opening[1] and _replacement(opening[0]) is None):
            continue
        closing = _CLOSING[name].search(text, opening.end())
        if closing is None:
            endless.add(name)
            continue
        kept.append(text[place : opening.start()])
        place = closing.end()
    return "".join([*kept, text[place:]])


def _settle(text: str, clean: Callable[[str], str]) -> str:
    """Undo entities and what tags they make, until none is left.

    Reads from left to right and keeps what it has read in a form that has nothing to undo; so a ";" or ">" can only
    complete something that ends there, and one look back is enough.
    """
    out: list[str] = []
    tags: list[int] = []  # where "<" stand that a ">" may still close
    comments: list[int] = []

    def back_to(place: int) -> None:
        del out[place:]
        for places in (tags, comments):
            while places and places[-1] >= place:
                places.pop()

    for match in _TOKEN.finditer(text):
        waiting = [match[0]]
        while waiting:
            piece = waiting.pop()
            out.append(piece)
            if piece == "<":
                tags.append(len(out) - 1)
            elif piece == ";" and (at := _entity_start(out)) is not None:
                meant = html.unescape("".join(out[at:]))
                back_to(at)
                before = out[-1][-1] if out else ""
                waiting += reversed(_TOKEN.findall(clean(before + meant)[len(before) :]))
            elif piece == ">":
                if tags and (found := _replacement("".join(out[tags[-1] :]))) is not None:
                    back_to(tags[-1])
                    waiting += reversed(_TOKEN.findall(found))
                    continue
                if comments and "".join(out[-4:-1]).endswith("--") and len("".join(out[comments[0] :])) >= 7:
                    back_to(comments[0])
                    continue
                tags.clear()
            elif (
                tags
                and len(out) - tags[-1] <= 4
                and comments[-1:] != tags[-1:]
                and "".join(out[tags[-1] :]).startswith("<!--")
            ):
                comments.append(tags[-1])
    return "".join(out)


def _entity_start(out: list[str]) -> int | None:
    """Where the entity begins that the last piece ends."""
    chars = 0
    for place in range(len(out) - 2, -1, -1):
        piece = out[place]
        if piece == "&":
            whole = "".join(out[place:])
            return place if _ENTITY.fullmatch(whole) and html.unescape(whole) != whole else None
        chars += len(piece)
        if chars > _MOST_ENTITY_CHARS or piece in ("<", ">", ";"):
            return None
    return None
