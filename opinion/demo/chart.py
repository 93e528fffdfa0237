"""Small charts of block characters for a terminal."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

BLOCKS = " ▁▂▃▄▅▆▇█"
FEW = 5  # a share of fewer documents is mostly chance and drawn as a dot


def share_bars(negative: Sequence[int], total: Sequence[int], height: int = 5) -> list[str]:
    """Rows from top (100 %) to bottom (0 %); one column per bucket, a dot where there is too little to tell."""
    columns = []
    for some, of in zip(negative, total, strict=True):
        if of < FEW:
            columns.append(" " * (height - 1) + ("·" if of else " "))
            continue
        eighths = max(1, round(some / of * height * 8))
        cells = [BLOCKS[min(8, max(0, eighths - 8 * row))] for row in range(height)]
        columns.append("".join(reversed(cells)))
    return ["".join(column[row] for column in columns) for row in range(height)]


def sparkline(values: Sequence[int]) -> str:
    """One row; the largest value is a full block, zero is empty."""
    most = max(values, default=0) or 1
    return "".join(BLOCKS[0 if value == 0 else max(1, round(value / most * 8))] for value in values)


def clock_axis(starts: Sequence[datetime], zone: ZoneInfo, every_hours: int = 4) -> str:
    """`08:00` under the columns where such an hour begins, as far as there is room."""
    axis = [" "] * len(starts)
    free_from = 0
    for column, start in enumerate(starts):
        local = start.astimezone(zone)
        is_due = local.hour % every_hours == 0 and local.minute == 0
        if is_due and column >= free_from and column + 5 <= len(axis):
            axis[column : column + 5] = f"{local:%H:%M}"
            free_from = column + 6
    return "".join(axis)
