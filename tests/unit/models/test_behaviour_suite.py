"""The behaviour cases: how templates are filled, and what is refused."""

from collections import Counter
from pathlib import Path

import pytest

from core.errors import NotFoundError, UsageError
from models.behaviour_suite import Case, full_width, load_suite, typo

WORDS = "en: {thing: [tea, coffee], mood: [fine, bad, odd]}\n"


def suite(folder: Path, tests: str, words: str = WORDS) -> list[Case]:
    """The cases of one file with these `tests`."""
    (folder / "words.yaml").write_text(words, encoding="utf-8")
    (folder / "some.yaml").write_text(f"capability: some\ntests:\n{tests}", encoding="utf-8")
    return load_suite(folder)


def test_a_template_becomes_a_few_cases_always_the_same(tmp_path: Path) -> None:
    """Slots are filled from the shared words, no more often than `most`, and equally in every run."""
    entry = "- {lang: en, type: MFT, expect: negative, most: 4, templates: ['The {thing} is {mood}.']}\n"
    cases = suite(tmp_path, entry)
    assert len({case.texts for case in cases}) == 4
    assert load_suite(tmp_path) == cases
    assert {case.template for case in cases} == {"The {thing} is {mood}."}
    assert all(case.expect == ("negative",) for case in cases)


def test_a_new_word_leaves_most_cases_as_they_were(tmp_path: Path) -> None:
    """Reports before and after a small change of the words stay comparable."""
    entry = "- {lang: en, type: MFT, expect: negative, most: 9, templates: ['The {thing} is {mood}.']}\n"
    before = {case.texts for case in suite(tmp_path, entry)}
    after = {case.texts for case in suite(tmp_path, entry, WORDS.replace("tea", "tea, cake"))}
    assert before <= after


def test_swapped_words_stand_in_the_same_sentence(tmp_path: Path) -> None:
    """The nth word of one group is compared with the nth of the other, and the groups keep their names."""
    entry = "- {lang: en, type: INV, templates: ['{who} had {thing}.'], swap: {who: {a: [He, Bob], b: [She, Ann]}}}\n"
    cases = suite(tmp_path, entry)
    assert {case.texts for case in cases} == {
        ("He had tea.", "She had tea."),
        ("Bob had tea.", "Ann had tea."),
        ("He had coffee.", "She had coffee."),
        ("Bob had coffee.", "Ann had coffee."),
    }
    assert {case.groups for case in cases} == {("a", "b")}


def test_changes_are_applied(tmp_path: Path) -> None:
    """A pair writes the change out; `replace` and `transform` make it."""
    entries = (
        "- {lang: en, type: DIR, expect: rises, templates: [[good, not good]]}\n"
        "- {lang: en, type: INV, templates: ['good tea'], replace: {good: goood}}\n"
        "- {lang: en, type: INV, templates: ['good tea'], transform: full_width}\n"
    )
    assert [case.texts for case in suite(tmp_path, entries)] == [
        ("good", "not good"),
        ("good tea", "goood tea"),
        ("good tea", "ｇｏｏｄ ｔｅａ"),
    ]


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("{lang: en, type: MFT, expect: angry, templates: [x]}", "expect of an MFT"),
        ("{lang: en, type: MFT, templates: [x]}", "expect of an MFT"),
        ("{lang: en, type: INV, templates: [x]}", "INV and DIR take pairs"),
        ("{lang: en, type: INV, expect: negative, templates: [[x, y]]}", "expect of an INV"),
        ("{lang: en, type: DIR, expect: [rises, falls], templates: [[x, y]]}", "either rises or falls"),
        ("{lang: en, type: DIR, expect: rises, head: topic, templates: [[x, y]]}", "either rises or falls"),
        ("{lang: en, type: INV, templates: ['{nobody} x'], transform: typo}", "unknown slot nobody"),
        ("{lang: en, type: INV, templates: ['too bad'], transform: typo}", "nothing changes in 'too bad'"),
        ("{lang: en, type: INV, templates: ['{x}'], swap: {x: {a: [p, q], b: [r]}}}", "equally many words"),
        ("{lang: en, type: INV, templates: [[x, y]], colour: red}", "colour"),
    ],
)
def test_a_case_that_tests_nothing_is_refused(tmp_path: Path, entry: str, complaint: str) -> None:
    """Whoever adds templates without code learns which entry is wrong, and why."""
    with pytest.raises(UsageError, match=r"some\.yaml") as error:
        suite(tmp_path, f"- {entry}\n")
    assert complaint in error.value.message
    assert "tests.0" in error.value.message


def test_a_folder_without_cases_is_named(tmp_path: Path) -> None:
    """A wrong path must not look like a model that passes everything."""
    with pytest.raises(NotFoundError, match="no behaviour cases"):
        load_suite(tmp_path)


def test_typos_and_widths() -> None:
    """A typo swaps two unlike letters of the longest word; the space and Chinese keep their width."""
    assert typo("a terrible day") == "a trerible day"
    assert typo("the cooker") == "the cokoer"
    assert full_width("Ab 1，好") == "Ａｂ １，好"


def test_ours_cover_what_they_claim() -> None:
    """Some hundred cases in each language, every capability in it, and no text that stands for two right answers."""
    cases = load_suite()
    assert all(count > 400 for count in Counter(case.lang for case in cases).values())
    capabilities = {lang: {case.capability for case in cases if case.lang == lang} for lang in ("zh", "en")}
    assert capabilities["zh"] - capabilities["en"] == {"traditional script"}
    assert len(capabilities["zh"]) == 12
    answers: dict[str, set[tuple[str, ...]]] = {}
    for case in cases:
        if case.type == "MFT":
            answers.setdefault(case.texts[0], set()).add(case.expect)
    assert [text for text, expected in answers.items() if len(expected) > 1] == []


def test_answering_always_the_same_is_no_behaviour() -> None:
    """No constant answer passes more than six in ten of the cases with a right answer."""
    right = [case.expect for case in load_suite() if case.type == "MFT"]
    for label in ("negative", "neutral", "positive"):
        assert sum(label in expected for expected in right) < 0.6 * len(right)
