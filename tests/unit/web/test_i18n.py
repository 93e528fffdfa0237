"""Both languages say the same things, and the right one is chosen."""

import re
import string
from pathlib import Path

import pytest

import web.rendering
from core.taxonomy import HEADS, SENTIMENTS, TOPICS
from web.i18n import MESSAGES, name_of, preferred, translate

TEMPLATES = sorted((Path(web.rendering.__file__).parent / "templates").glob("*.html"))


def test_both_languages_have_the_same_messages() -> None:
    """Nobody meets a page that is half translated."""
    assert set(MESSAGES["zh"]) == set(MESSAGES["en"])


def test_both_languages_fill_in_the_same_values() -> None:
    """A figure that one language shows is not missing in the other."""

    def fields(text: str) -> set[str | None]:
        return {field for _, field, _, _ in string.Formatter().parse(text) if field}

    differing = [key for key in MESSAGES["en"] if fields(MESSAGES["en"][key]) != fields(MESSAGES["zh"][key])]
    assert differing == []


def test_every_class_has_a_name_in_both_languages() -> None:
    """Topics and sentiments are never shown as identifiers."""
    keys = [f"topic.{topic}" for topic in TOPICS] + [f"sentiment.{one}" for one in SENTIMENTS]
    assert [key for key in keys if key not in MESSAGES["en"] or key not in MESSAGES["zh"]] == []
    assert HEADS == ("topic", "sentiment")


def test_templates_use_messages_that_exist() -> None:
    """A message that nobody wrote is found here, not by a reader."""
    used = {key for path in TEMPLATES for key in re.findall(r"""\bt\(["']([\w.]+)["'][,)]""", path.read_text())}
    assert used
    assert used - set(MESSAGES["en"]) == set()


def test_templates_leave_escaping_and_the_content_policy_alone() -> None:
    """Crawled text is escaped everywhere, and no inline script, style or handler needs a hole in the policy."""
    for path in TEMPLATES:
        source = path.read_text()
        assert not re.search(r"\|\s*safe\b|autoescape\s+false|Markup", source), path
        assert not re.search(r"\sstyle=|\son\w+=|hx-on|javascript:", source), path
        assert not re.search(r"(src|href)=[\"']?(https?:)?//", source), path


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,en;q=0.9,zh;q=0.1", "en"),
        ("fr-FR, zh-TW;q=0.5, en;q=0.4", "zh"),
        ("de", "en"),
        ("", "en"),
        ("zh;q=oops,*", "en"),
    ],
)
def test_the_browser_chooses_the_language(header: str, language: str) -> None:
    """The highest weight among the languages we speak wins; English is the fallback."""
    assert preferred(header) == language


def test_names_from_data_fall_back_to_themselves() -> None:
    """A source or a class of another model has no translation and is shown as it is."""
    assert name_of("zh", "topic", "finance") == "财经"
    assert name_of("en", "source", "weibo") == "weibo"
    assert name_of("en", "topic", "{0.__class__}") == "{0.__class__}"


def test_values_are_filled_in() -> None:
    """Messages take their figures by name."""
    assert translate("en", "age.minutes", n=3) == "3 min ago"
