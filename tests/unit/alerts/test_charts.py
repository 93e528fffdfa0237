"""Pictures of an incident: from what was frozen, in both languages, never broken."""

from base64 import b64decode
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from lxml import etree

from alerts.reasons import charts
from alerts.reasons.chart_plan import plan
from alerts.reasons.charts import PALETTES, chart_png, chart_svg
from alerts.routing.grouping import Message
from alerts.telling import Receiver, render
from tests.support import timelines

START = datetime(2026, 3, 10, tzinfo=UTC)
SVG = "{http://www.w3.org/2000/svg}"


def body(buckets: int = 288, peak: int = 21) -> dict[str, Any]:
    quiet = buckets * 23 // 24
    return {
        "since": (START + quiet * timedelta(minutes=5)).isoformat(),
        "series": {
            "starts_at": START.isoformat(),
            "bucket_seconds": 300.0,
            "negatives": [1, 0] * (quiet // 2) + [peak] * (buckets - quiet // 2 * 2),
            "total": [9] * buckets,
            "expected": [1.5] * buckets,
            "lower": [0] * buckets,
            "upper": [4] * buckets,
        },
    }


@pytest.mark.parametrize("language", ["zh", "en"])
def test_svg_shows_band_line_and_incident(language: Any) -> None:
    """Well-formed, labelled in the language, a few kilobytes, and nothing in it is fetched or run."""
    drawn = chart_svg(body(), language=language)
    assert drawn is not None
    assert len(drawn) < 12_000
    root = etree.fromstring(drawn)
    colours = {one.get(name) for one in root.iter() for name in ("fill", "stroke")}
    assert {*astuple(PALETTES["light"])} <= colours
    assert {one.tag.removeprefix(SVG) for one in root.iter()} <= {"svg", "rect", "path", "line", "text"}
    assert ("负面" if language == "zh" else "negative") in drawn


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_rule_that_counts_all_documents_has_its_own_labels(language: Any) -> None:
    """Nothing in its picture speaks of negative documents."""
    drawn = chart_svg(body() | {"counted": "total"}, language=language)
    assert drawn is not None
    assert "负面" not in drawn
    assert "negative" not in drawn


def test_png_is_a_small_picture() -> None:
    """960 x 540, under a hundred kilobytes, and the same bytes for the same evidence."""
    drawn = chart_png(body(), language="zh")
    assert drawn is not None
    assert drawn[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(drawn[16:20]), int.from_bytes(drawn[20:24])) == (960, 540)
    assert len(drawn) < 100_000
    assert chart_png(body(), language="zh") == drawn


def test_without_a_chinese_font_labels_are_english(monkeypatch: pytest.MonkeyPatch) -> None:
    """Boxes instead of characters say nothing: the picture is then the English one (missing glyphs would warn)."""
    monkeypatch.setattr(charts, "chinese_font", lambda: None)
    assert chart_png(body(), language="zh") == chart_png(body(), language="en")


def test_times_are_those_of_the_zone() -> None:
    """Marks are round hours where the reader lives."""
    chart = plan(body(), "en", ZoneInfo("Asia/Shanghai"))
    assert chart is not None
    assert [label for _, label in chart.time_ticks] == ["08:00", "12:00", "16:00", "20:00", "03-11", "04:00", "08:00"]


@pytest.mark.parametrize("peak", [0, 1, 7, 99, 100_000])
def test_count_marks_are_few_and_reach_the_top(peak: int) -> None:
    """Whatever the height: whole numbers, at most five of them, and nothing above the axis."""
    chart = plan(body(peak=peak), "en")
    assert chart is not None
    assert 2 <= len(chart.count_ticks) <= 5
    assert chart.top >= peak
    assert chart.count_ticks[-1] == chart.top


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"series": None},
        {"since": "x", "series": body()["series"]},
        {"since": START.isoformat(), "series": {"starts_at": START.isoformat(), "bucket_seconds": 300}},
        body() | {"series": body()["series"] | {"upper": [1]}},
        body() | {"series": body()["series"] | {"negatives": ["<script>"] * 288}},
        body() | {"series": body()["series"] | {"bucket_seconds": 0}},
    ],
)
def test_what_cannot_be_drawn_is_no_picture(broken: dict[str, Any]) -> None:
    """Evidence of earlier versions and other alarms has no series: None, not an error."""
    assert chart_svg(broken) is None
    assert chart_png(broken) is None


def test_only_mail_about_what_goes_on_has_the_picture() -> None:
    """Base64 in the payload; not for receivers that get nothing but a link, nor when it is over."""
    lead = timelines.row(7, datetime(2026, 3, 10, 12, tzinfo=UTC), {"alertname": "NegativeSurge"}, "warning")
    firing, over = (Message(status, [lead], key="k") for status in ("firing", "resolved"))
    mail, shy = Receiver("email", "desk"), Receiver("email", "shy", link_only=True)

    def picture(message: Message, receiver: Receiver) -> Any:
        return render(message, {7: body()}, receiver, "http://console").payload.get("picture")

    assert b64decode(picture(firing, mail)).startswith(b"\x89PNG")
    assert picture(over, mail) is picture(firing, shy) is picture(firing, Receiver("slack", "desk")) is None
