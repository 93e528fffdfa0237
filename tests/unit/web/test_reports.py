"""The arithmetic, the pictures and the marks of reports and incidents."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest

from storage.feedback import FeedbackRow
from storage.notifications import OutboxLine
from storage.queries import IncidentEvent, IncidentFile
from web.incident_reading import steps
from web.marking import marked
from web.reports.drawing import Column, bar_svg, columns_svg
from web.reports.intervals import difference, wilson
from web.reports.periods import last_period

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def test_wilsons_interval() -> None:
    """Newcombe 1998 a, table I: 81 of 263 gives 0.2553 to 0.3662; 0 of 20 gives 0 to 0.1611."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(0, 0) is None


def test_newcombes_interval_of_a_difference() -> None:
    """Newcombe 1998 b, table II, method 10: 56/70 against 48/80 gives 0.0524 to 0.3339."""
    assert difference((56, 70), (48, 80)) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    assert difference((1, 1), (0, 0)) is None


def test_the_picture_is_well_formed_and_escaped() -> None:
    """Columns in proportion, nothing drawn for nothing, and no label becomes markup."""
    made = columns_svg([Column("<b>", 100, 50), Column("", 0, 0)], title='"&', all_name="<i>", negative_name="n")
    tree = ElementTree.fromstring(made)  # noqa: S314  # our own
    heights = [float(one.get("height", 0)) for one in tree.iter("{http://www.w3.org/2000/svg}rect")]
    assert heights[2] == pytest.approx(2 * heights[3], abs=0.2)
    assert len(heights) == 4
    assert 'width="50.0"' in bar_svg(0.5)
    assert 'width="100.0"' in bar_svg(7)


def test_the_last_period_is_over_everywhere_in_the_zone() -> None:
    """Just after local midnight it is yesterday, and the week before this Monday."""
    zone = ZoneInfo("Asia/Shanghai")
    monday = datetime(2026, 3, 9, 0, 1, tzinfo=zone)
    assert str(last_period("daily", monday, zone).first_day) == "2026-03-08"
    assert str(last_period("weekly", monday, zone).first_day) == "2026-03-02"
    assert str(last_period("weekly", monday - timedelta(minutes=2), zone).first_day) == "2026-02-23"


def test_words_are_marked_whatever_their_case() -> None:
    """The longest first, patterns taken literally; the pieces are the text."""
    pieces = marked("A.b axb A.B.c", ["a.b", "a.b.c"])
    assert [one.text for one in pieces if one.is_word] == ["A.b", "A.B.c"]
    assert "".join(one.text for one in pieces) == "A.b axb A.B.c"
    assert marked("", ["a"]) == []
    assert [one.is_word for one in marked("abc", [])] == [False]


def test_the_timeline_is_in_order_with_people_and_messages() -> None:
    """Events, messages and feedback by time; what people wrote, whom they named, and where a message stands."""
    later = NOW + timedelta(minutes=5)
    file = IncidentFile(
        None,  # type: ignore[arg-type]  # not read
        [
            IncidentEvent(NOW, "opened", "detector", {"reason": "rose"}),
            IncidentEvent(NOW, "told", "detector", {"status": "firing", "receivers": ["desk", "chat"]}),
            IncidentEvent(later, "assigned", "王芳", {"owner": "李雷"}),
        ],
        [],
        [],
    )
    message = OutboxLine("k", 1, "webhook", "desk", "delivered", 1, NOW, NOW, NOW + timedelta(minutes=1), None)
    said = [FeedbackRow("late", "too late", "李雷", later + timedelta(minutes=1))]
    found = [(one.kind, one.who, one.said, list(one.names), one.state) for one in steps(file, [message], said)]
    assert found == [
        ("opened", "detector", "rose", [], ""),
        ("told", "detector", "", ["desk", "chat"], "firing"),
        ("message", "desk", "webhook", [], "delivered"),
        ("assigned", "王芳", "", ["李雷"], ""),
        ("feedback", "李雷", "too late", [], "late"),
    ]
