"""The page that says why: whole, in two languages, and safe to open."""

import re
from pathlib import Path
from typing import get_args

import pytest

from core.errors import NotFoundError
from models.gate_record import EXAMPLES, EXAMPLES_FILE, RECORD_FILE, read_record, write_record
from models.gate_report import render
from models.gate_report_checks import verdict_sentence
from models.gate_report_words import WORDS, Language, say
from tests.support.verdicts import DESTROYED, ROWS, judged_candidate


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    """The page can be made again at any time, in another language too."""
    record, examples = judged_candidate(DESTROYED)
    write_record(tmp_path, record, examples)
    assert read_record(tmp_path) == (record, examples)


def test_figures_and_texts_lie_apart(tmp_path: Path) -> None:
    """An erasure takes lines of texts out and need not touch a figure."""
    write_record(tmp_path, *judged_candidate(DESTROYED))
    assert not [row.text for row in ROWS if f'"{row.text}"' in (tmp_path / RECORD_FILE).read_text()]
    lines = (tmp_path / EXAMPLES_FILE).read_text().splitlines()
    assert 0 < len(lines) <= 2 * EXAMPLES
    (tmp_path / EXAMPLES_FILE).write_text("\n".join(lines[1:]))
    assert len(read_record(tmp_path)[1]) == len(lines) - 1


@pytest.mark.parametrize("content", [None, "{}", "no json"])
def test_without_a_record_the_cause_is_named(tmp_path: Path, content: str | None) -> None:
    """A model that was never judged, or by another version, is no traceback."""
    if content is not None:
        (tmp_path / RECORD_FILE).write_text(content)
    with pytest.raises(NotFoundError, match=tmp_path.name):
        read_record(tmp_path)


@pytest.mark.parametrize("language", get_args(Language))
def test_the_page_needs_nothing_else_and_runs_nothing(language: Language) -> None:
    """No script, no foreign host, and what crawled texts and sources say is shown and never obeyed."""
    page = render(*judged_candidate(DESTROYED), language)
    assert "<script" not in page
    assert "{{" not in page.replace("{{ 7 * 7 }}", "")
    assert "&lt;script&gt;alert(1)" in page
    assert not re.findall(r"(?:src|href)=", page)
    assert not re.findall(r"https?://", page)
    assert "&#34; onmouseover=" in page
    assert '" onmouseover=' not in page
    assert "default-src 'none'" in page


def test_the_page_has_verdict_checks_and_pictures() -> None:
    """Somebody who decides finds the sentence, each check, the slice that fell, the pictures and examples."""
    record, examples = judged_candidate(DESTROYED)
    page = render(record, examples)
    assert verdict_sentence(record).startswith(
        "Refused: 20260501-0011aabb may not follow starter-2e29f5ef, because of:"
    )
    assert "slices" in verdict_sentence(record)
    assert page.count('class="badge ') == 6
    assert '<td class="name bad">en</td>' in page
    assert page.count('<svg class="forest') == 2 + sum(one.is_judged for one in record.figures.slices)
    assert page.count('<svg class="curve"') == 1
    assert page.count('<table class="matrix">') == 2
    assert "Lost: only the champion is right" in page
    assert "replay (self): 4,000" in page


def test_it_speaks_chinese() -> None:
    """Headlines, checks, classes and the verdict."""
    record, examples = judged_candidate(DESTROYED)
    page = render(record, examples, "zh")
    assert verdict_sentence(record, "zh").startswith("不予采用：20260501-0011aabb 不能接替 starter-2e29f5ef，原因：")
    assert all(word in page for word in ("检查", "留出标注", "负面", "混淆矩阵：情感", "改错：只有现任模型答对"))
    assert "refused" not in page


def test_an_accepted_one_says_so() -> None:
    """With its gain and interval."""
    record, _ = judged_candidate([True] * 120)
    assert record.verdict.is_accepted, record.verdict.reasons
    assert verdict_sentence(record).startswith(
        "Accepted: 20260501-0011aabb may follow starter-2e29f5ef: +25.1 points"
    )


@pytest.mark.parametrize("language", get_args(Language))
def test_without_held_out_labels_there_is_a_page_too(language: Language) -> None:
    """It says what is missing."""
    record, _ = judged_candidate([], [])
    page = render(record, [], language)
    assert not record.verdict.is_accepted
    assert say(language, "found.nothing") in page
    assert "svg" not in page.split("</style>")[1]


def test_both_languages_have_the_same_words() -> None:
    """No sentence takes a figure in one language that it lacks in the other."""
    for key, words in WORDS.items():
        assert set(words) == set(get_args(Language)), key
        assert set(re.findall(r"{\w+}", words["en"])) == set(re.findall(r"{\w+}", words["zh"])), key
