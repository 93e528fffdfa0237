"""Matchers mean what Alertmanager's mean, and no pattern holds anything up."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.routing.matchers import Matcher, all_match, matcher, one_of
from core.errors import UsageError

LABELS = {"topic": "sports", "source": "weibo"}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("topic=sports", True),
        (' topic = "sports" ', True),
        ("topic!=sports", False),
        ('topic=~"sp.*"', True),
        ('topic=~"sport"', False),
        ('topic!~"sport"', True),
        ('topic=~"finance|sports"', True),
        ('lang=""', True),
        ('lang!="zh"', True),
        ('lang=~".*"', True),
        ('lang=~".+"', False),
        (r'source=~"w\w+"', True),
        (r'topic=~"(?i)SPORTS"', True),
    ],
)
def test_labels_are_held_against_it(text: str, holds: bool) -> None:
    """Regular expressions match whole values; a label that is missing is as an empty one."""
    assert matcher(text).matches(LABELS) is holds


@pytest.mark.parametrize(
    "text",
    ["", "topic", "=a", "topic=", "to-pic=a", 'topic="a', 'topic="a"b"', 'topic=~"("', 'topic=~"a)|(b"', "a=b\x00"],
)
def test_what_is_not_understood_is_refused(text: str) -> None:
    """With an example of what would be."""
    with pytest.raises(UsageError) as refused:
        matcher(text)
    assert refused.value.remedy


@pytest.mark.parametrize("pattern", ["(a+)+", "(a|a)*", "(.*)*b", "(a{1000}){1000}"])
def test_no_pattern_holds_up_the_scheduler(pattern: str) -> None:
    """Those that take other engines for ever are answered at once, or refused."""
    started = time.process_time()
    with contextlib.suppress(UsageError):
        assert not matcher(f'topic=~"{pattern}"').matches({"topic": "a" * 5000 + "!"})
    assert time.process_time() - started < 2


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=200))
def test_what_is_written_is_read_again(value: str) -> None:
    """Quotes and backslashes survive, in equalities and in lists of values."""
    assert matcher(str(Matcher("topic", "=", value))).value == value
    assert all_match([one_of("topic", [value, "b"])] if len(value) < 40 else [], {"topic": value})
