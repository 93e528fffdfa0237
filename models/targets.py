"""Whose sentiment: marking one company or brand in a text, and rows that teach the classifier to read the mark.

The same head answers for a text and for a target: every mention of the target becomes `TARGET`, a token of its own,
and the sentiment is then the one toward it. The name itself is hidden on purpose: what a text says counts, not what
the model thinks of a brand.
"""

import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from core.errors import UsageError
from models.datasets import LabelledText, open_text

TARGET: Final = "\ue002"  # private use: no text means anything by it
CONTEXT_CHARS: Final = 240
SENTENCE_END: Final = re.compile(r"(?<=[。！？!?；;\n])|(?<=\.)(?=\s)")
CLAUSE_END: Final = re.compile(
    r"(?<=[，。！？!?；;\n])|(?<=\.)(?=\s)|(?<=,)(?!\d)|(?=\b(?:but|while|whereas)\b)|(?=(?<!不)但|却)"
)
SHORTEST_CLAUSE: Final = 3  # letters beside the target: "Acme, the maker of phones, …" has said nothing yet
JOINTS: Final = {"zh": ("，", "；", "。", " "), "en": (". ", "; ", ", ", " ")}
OTHER_NAMES: Final = {
    "zh": ("华信", "蓝海科技", "天元集团", "星河", "同盛", "北辰股份", "云启", "嘉禾食品", "新域", "锐通"),
    "en": (
        "Zenvia",
        "Northfield",
        "Orlex",
        "Bluepeak",
        "Kandor",
        "Maritech",
        "Solvane",
        "Quintra",
        "Helbrook",
        "Tarsus",
    ),
}
Teaches = Literal["entities", "company", "named"]


def mark(text: str, mentions: Sequence[tuple[int, int]]) -> str:
    """`text` with each mention, a half-open `(start, end)` span, replaced by `TARGET`.

    Args:
        mentions: of one target, ascending and without overlap.
    """
    parts, place = [], 0
    for start, end in mentions:
        parts += [text[place:start], TARGET]
        place = end
    return "".join([*parts, text[place:]])


def context(marked: str, most_chars: int = CONTEXT_CHARS) -> str:
    """The sentences of a marked text that speak of the target, and their neighbours as far as `most_chars` reach.

    Without a mark the text's beginning. A single sentence longer than that is cut around its first mark.
    """
    sentences = [part for part in SENTENCE_END.split(marked) if part]
    about = [n for n, sentence in enumerate(sentences) if TARGET in sentence]
    if len(marked) <= most_chars or not about:
        return marked[:most_chars]
    taken: set[int] = set()
    room = most_chars
    for n in [*about, *(other for place in about for other in (place - 1, place + 1))]:
        if 0 <= n < len(sentences) and n not in taken and len(sentences[n]) <= room:
            taken.add(n)
            room -= len(sentences[n])
    if not any(n in taken for n in about):
        return _around_first_mark(marked, most_chars)
    return "".join(sentences[n] for n in sorted(taken))


def clauses(marked: str, most_chars: int = CONTEXT_CHARS) -> str:
    """The clauses of a marked text that speak of the target, without what is said of others beside it.

    A clause in which hardly more than the target stands goes on to the next. Without a mark the text's beginning.
    """
    taken, is_open = "", False
    for clause in CLAUSE_END.split(marked):
        if is_open or TARGET in clause:
            taken += clause
            is_open = sum(character.isalnum() for character in clause) < SHORTEST_CLAUSE
    return _around_first_mark(taken, most_chars) if taken else marked[:most_chars]


def _around_first_mark(marked: str, most_chars: int) -> str:
    middle = marked.index(TARGET)
    start = max(0, min(middle - most_chars // 2, len(marked) - most_chars))
    return marked[start : start + most_chars]


def mentions_of(text: str, name: str) -> list[tuple[int, int]]:
    """Where `name` stands in `text`, letter by letter; no overlaps."""
    return [match.span() for match in re.finditer(re.escape(name), text)] if name else []


def readings(text: str, mentions: Sequence[tuple[int, int]], *, is_marked: bool = True) -> tuple[str, ...]:
    """What the classifier reads to judge one target; the mean of its answers is the verdict.

    The sentences around the mentions tell what is going on, the clauses with a mention alone tell it apart from
    others in the same sentence. docs/why/classification.md has the figures.

    Args:
        mentions: as for `mark`.
        is_marked: False for a checkpoint that does not know `TARGET`. Sentences would say the same of everybody in
            them, so it reads the clauses only, with the name of the first mention in its places.
    """
    marked = mark(text.replace(TARGET, " "), mentions)
    if is_marked:
        return context(marked), clauses(marked)
    name = text[slice(*mentions[0])] if mentions else ""
    return (clauses(marked).replace(TARGET, name),)


class _Line(msgspec.Struct):
    text: str
    lang: str = "zh"
    sentiment: str | None = None
    entities: str | None = None
    negative_entities: str | None = None
    company: str | None = None


def target_rows(
    path: Path, teaches: Teaches, *, pairs: int, absent: tuple[str, ...], seed: int
) -> list[LabelledText]:
    """Rows with a marked target, made from a labelled file; the same for the same file and seed.

    Args:
        teaches: `entities`: the file names entities and the negative ones among them; the others are not negative.
            `company`: each text is about its `company`; texts about different ones are joined, too.
            `named`: nothing is named; two texts of different sentiment are put into the mouth of invented names.
        pairs: joined texts; each gives two rows, one for each target.
    """
    chance = random.Random(seed)  # noqa: S311  # sampling, not secrecy
    with open_text(path) as lines:
        rows = [msgspec.json.decode(line, type=_Line) for line in lines if line.strip() and b"NaN" not in line]
    if teaches == "entities":
        return [row for line in rows for row in _entity_rows(line)]
    labelled = [row for row in rows if row.sentiment is not None]
    if teaches == "company":
        labelled = [row for row in labelled if row.company and row.company in row.text]
        single = [
            _row(context(_marked(row.text, str(row.company))), row.sentiment, row.lang, absent) for row in labelled
        ]
        return [*single, *_joined(labelled, pairs, absent, chance)]
    return list(_joined(labelled, pairs, absent, chance))


def _entity_rows(line: _Line) -> Iterator[LabelledText]:
    negative = set(filter(None, (line.negative_entities or "").split(";")))
    for name in filter(None, (line.entities or "").split(";")):
        if name in line.text:
            text = context(_marked(line.text, name))
            if name in negative:
                yield _row(text, "negative", line.lang, ())
            else:
                yield _row(text, "neutral", line.lang, ("positive",))  # nobody said whether it is even positive


def _joined(
    lines: Sequence[_Line], pairs: int, absent: tuple[str, ...], chance: random.Random
) -> Iterator[LabelledText]:
    if pairs and len({line.sentiment for line in lines}) < 2:
        raise UsageError("`pairs` join two texts of different sentiment, and the file has one sentiment only")
    made = 0
    while made < pairs:
        first, second = chance.sample(lines, 2)
        if first.sentiment == second.sentiment or (first.company and first.company == second.company):
            continue
        made += 1
        names = chance.sample(OTHER_NAMES[first.lang], 2)
        texts = [
            (line.text, line.company)
            if line.company
            else (f"{name}{chance.choice((':', '：', ' '))}{line.text}", name)
            for line, name in zip((first, second), names, strict=True)
        ]
        whole = chance.choice(JOINTS[first.lang]).join(text.rstrip("。.") for text, _ in texts)
        for line, (_, name) in zip((first, second), texts, strict=True):
            yield _row(context(_marked(whole, str(name))), line.sentiment, line.lang, absent)


def _marked(text: str, name: str) -> str:
    return mark(text, mentions_of(text, name))


def _row(text: str, sentiment: str | None, lang: str, absent: tuple[str, ...]) -> LabelledText:
    return LabelledText(text, sentiment=sentiment, lang=lang, source="targets", absent=absent)
