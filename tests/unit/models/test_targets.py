import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UsageError
from models.datasets import LabelledText
from models.targets import CONTEXT_CHARS, TARGET, clauses, context, mark, mentions_of, readings, target_rows

T = TARGET


def test_every_mention_of_the_target_is_marked() -> None:
    """The name is hidden wherever it stands; the other names stay."""
    text = "甲起诉乙，乙股价大跌，甲不变"
    assert mark(text, mentions_of(text, "甲")) == f"{T}起诉乙，乙股价大跌，{T}不变"
    assert mark(text, mentions_of(text, "乙")) == f"甲起诉{T}，{T}股价大跌，甲不变"


def test_a_short_text_is_read_whole() -> None:
    """What fits into a context is not cut."""
    assert context(f"{T} fell. Bolt rose.") == f"{T} fell. Bolt rose."


def test_a_long_text_is_read_around_its_mentions() -> None:
    """The sentences with the target are taken first, then their neighbours; the rest is left out."""
    filler = "这里说的是别的事情。" * 40
    before, after = "前一句说明背景。", "后一句接着说。"
    text = f"{filler}{before}甲公司被罚款。{after}{filler}"
    read = context(mark(text, mentions_of(text, "甲公司")))
    assert f"{before}{T}被罚款。{after}" in read
    assert len(read) <= CONTEXT_CHARS


def test_a_sentence_without_end_is_cut_around_the_mention() -> None:
    """Not even one endless sentence makes a context longer than it may be, nor loses its target."""
    for read in readings("a" * 5000 + "Acme" + "b" * 5000, [(5000, 5004)]):
        assert len(read) == CONTEXT_CHARS
        assert T in read


@pytest.mark.parametrize(
    ("text", "name", "read"),
    [
        ("甲起诉乙，乙股价大跌", "甲", f"{T}起诉乙，"),
        ("甲起诉乙，乙股价大跌", "乙", f"甲起诉{T}，{T}股价大跌"),
        ("Acme sues Bolt, Bolt falls 1,000 points", "Bolt", f"Acme sues {T}, {T} falls 1,000 points"),
        ("Acme is fine but Bolt crashes. Cask too.", "Bolt", f"but {T} crashes."),
        ("西山盈利，东湖却亏损", "东湖", f"{T}却亏损"),
        ("Acme, the maker of phones, recalls all", "Acme", f"{T}, the maker of phones,"),
        ("甲：产品召回，乙观望", "甲", f"{T}：产品召回，"),
    ],
)
def test_clauses_are_those_of_the_target_alone(text: str, name: str, read: str) -> None:
    """What is said of others in the same sentence is left out; a clause that says nothing yet goes on."""
    assert clauses(mark(text, mentions_of(text, name))) == read


def test_a_checkpoint_that_knows_no_mark_reads_the_name() -> None:
    """Without the token the clauses are read, with the name in them."""
    filler = "Nothing of note happened today. " * 20
    text = f"{filler}ACME fell sharply. Acme said so."
    spans = [(len(filler), len(filler) + 4), (text.index("Acme"), text.index("Acme") + 4)]
    assert readings(text, spans, is_marked=False) == (" ACME fell sharply. ACME said so.",)


def test_a_mark_in_the_text_itself_is_no_mark() -> None:
    """Whoever writes the private character into a text does not point at anybody."""
    assert readings(f"{T} Acme fell", [(2, 6)])[0] == f"  {T} fell"


@given(st.text("ab。. \n", max_size=600), st.integers(0, 599), st.integers(1, 5))
def test_a_context_is_short_and_has_its_target(text: str, start: int, length: int) -> None:
    """Whatever a text looks like, its context fits and speaks of the target."""
    spans = [(start, start + length)] if start + length <= len(text) else []
    for read in readings(text, spans):
        assert len(read) <= CONTEXT_CHARS
        assert (T in read) == bool(spans)


def rows(tmp_path: Path, lines: list[dict[str, str | None]], **changes: object) -> list[LabelledText]:
    path = tmp_path / "some.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as out:
        out.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    return target_rows(path, **({"pairs": 4, "absent": (), "seed": 1} | changes))  # type: ignore[arg-type]


def test_rows_of_entities_say_who_is_spoken_of_badly(tmp_path: Path) -> None:
    """A text with two entities teaches one row about each; who is not negative is masked, not called neutral."""
    made = rows(
        tmp_path,
        [{"text": "甲起诉乙", "lang": "zh", "entities": "甲;乙", "negative_entities": "乙"}],
        teaches="entities",
    )
    assert [(row.text, row.sentiment, row.absent) for row in made] == [
        (f"{T}起诉乙", "neutral", ("positive",)),
        (f"甲起诉{T}", "negative", ()),
    ]


HEADLINES: list[dict[str, str | None]] = [
    {"text": "甲公司大跌", "lang": "zh", "sentiment": "negative", "company": "甲公司"},
    {"text": "乙公司大涨", "lang": "zh", "sentiment": "positive", "company": "乙公司"},
]


def test_joined_headlines_keep_their_own_answers(tmp_path: Path) -> None:
    """Two headlines in one text teach both answers, each with its own company marked."""
    made = rows(tmp_path, HEADLINES, teaches="company")
    assert len(made) == 2 + 2 * 4
    for row in made:
        assert (f"{T}大跌" in row.text) == (row.sentiment == "negative")
        assert (f"{T}大涨" in row.text) == (row.sentiment == "positive")


def test_rows_are_the_same_for_the_same_seed(tmp_path: Path) -> None:
    """A training can be repeated."""
    assert rows(tmp_path, HEADLINES, teaches="named") == rows(tmp_path, HEADLINES, teaches="named")
    assert rows(tmp_path, HEADLINES, teaches="named") != rows(tmp_path, HEADLINES, teaches="named", seed=2)


def test_pairs_of_one_sentiment_are_refused(tmp_path: Path) -> None:
    """Two texts of different sentiment cannot be drawn from one sentiment; looking on would never end."""
    with pytest.raises(UsageError, match="one sentiment"):
        rows(tmp_path, [line for line in HEADLINES if line["sentiment"] == "negative"], teaches="named")


@pytest.mark.parametrize(("name", "spans"), [("a", [(0, 1), (2, 3)]), ("", []), ("z", [])])
def test_mentions_of_a_name(name: str, spans: list[tuple[int, int]]) -> None:
    """Letter by letter; an empty name is nowhere."""
    assert mentions_of("aba", name) == spans
