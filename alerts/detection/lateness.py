"""The mark of an alert that only late documents raised. Pure.

A bucket is judged again for as long as `correction`; if it fires only then, people hear of it late, and of that.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from core.windows import MINUTE

LATE: Final = "late_minutes"  # the annotation


def late_by(detected_at: datetime, judged_before: datetime | None) -> int | None:
    """Minutes between when a surge could have been found and how far was judged when it was not; None: in time."""
    if judged_before is None or detected_at > judged_before:
        return None
    return max(1, round((judged_before - detected_at) / MINUTE))


def marked(annotations: Mapping[str, str], minutes: int | None) -> dict[str, str]:
    """Annotations that say so, to machines and people."""
    if minutes is None:
        return dict(annotations)
    in_zh = f"{annotations['summary_zh']}（数据迟到，晚报约 {minutes} 分钟）"
    in_en = f"{annotations['summary_en']} (late documents: told about {minutes} min late)"
    return {
        **annotations,
        "summary": f"{in_zh} / {in_en}",
        "summary_zh": in_zh,
        "summary_en": in_en,
        LATE: str(minutes),
    }


def mark_of(annotations: Mapping[str, str]) -> int | None:
    """The minutes that these annotations are marked with."""
    value = annotations.get(LATE, "")
    return int(value) if value.isdecimal() else None
