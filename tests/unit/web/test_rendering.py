"""How figures read."""

from datetime import timedelta

import pytest

from web.rendering import age_in_words, figure, percent, points, safe_url, share


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-60, "age.now 0"),
        (3, "age.now 0"),
        (119, "age.seconds 119"),
        (120, "age.minutes 2"),
        (3 * 3600, "age.hours 3"),
        (3 * 86400, "age.days 3"),
        (900 * 86400, "age.years 2"),
    ],
)
def test_ages_use_the_unit_a_person_would(seconds: int, said: str) -> None:
    """Neither `7200 seconds` nor `0 days`."""
    assert age_in_words(timedelta(seconds=seconds), lambda key, n: f"{key} {n}") == said


def test_figures_read_well() -> None:
    """Shares in percent, changes in signed points, a dash for nothing."""
    assert (share(0.1234), share(None), percent(0.9349)) == ("12.3 %", "–", "93 %")
    assert (points(0.30, 0.25), points(0.25, 0.30), points(None, 0.3)) == ("+5.0", "−5.0", "")
    assert points(0.25, 0.25001) == "0.0"
    assert (figure(6.0), figure(6.25), figure(1234.5)) == ("6", "6.2", "1,234")


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "//evil.example", "http://[", "", None]
)
def test_crawled_addresses_that_are_no_web_pages_are_no_links(url: str | None) -> None:
    """A document cannot make its reader run a script by a click."""
    assert safe_url(url) is None


def test_web_addresses_are_links() -> None:
    """http and https lead to the original."""
    assert safe_url("https://example.org/a?b=1") == "https://example.org/a?b=1"
