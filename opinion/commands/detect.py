"""`opinion detect`: the volume part of the detector on a CSV of numbers."""

import csv
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated

import typer

from alerts.detection.volume import VolumeDetector
from core.errors import NotFoundError, UsageError
from core.times import parse_time

COLUMNS = ["timestamp", "value", "anomaly_score"]


def detect(
    series: Annotated[Path, typer.Option(help="CSV with the columns timestamp and value.")],
    out: Annotated[Path | None, typer.Option(help="Where to write; stdout if absent.")] = None,
) -> None:
    """Score every row of a series from 0 to 1, seeing only the rows before it; 0.5 and more is an alarm.

    Gaps, repeated and backward times, and any sampling step are taken as they come; a value that is no number
    scores 0. The timestamps are written as they were read.

    Example: opinion detect --series tweets.csv --out scored.csv
    """
    if not series.is_file():
        raise NotFoundError(f"no such file: {series}")
    with series.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines)
        if not {"timestamp", "value"} <= set(rows.fieldnames or ()):
            raise UsageError(f"{series}: needs the columns timestamp and value", remedy="add a header line")
        if out is None:
            _write(rows, sys.stdout)
        else:
            with out.open("w", encoding="utf-8", newline="") as file:
                _write(rows, file)


def _write(rows: Iterable[dict[str, str]], file: IO[str]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_scored(rows))


def _scored(rows: Iterable[dict[str, str]]) -> Iterator[tuple[str, str, str]]:
    detector = VolumeDetector()
    at = datetime(1970, 1, 1, tzinfo=UTC)
    for row in rows:
        timestamp, value = row["timestamp"] or "", row["value"] or ""
        at = _time(timestamp) or at
        yield timestamp, value, f"{detector.observe(at, _number(value)):.6f}"


def _time(text: str) -> datetime | None:
    """None where the text is no time: the row then follows the one before it."""
    try:
        return parse_time(text.replace("/", "-"), UTC)
    except ValueError:
        pass
    try:
        return parse_time(float(text), UTC)
    except ValueError:
        return None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
