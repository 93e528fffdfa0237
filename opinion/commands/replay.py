"""`opinion replay`: what the detector would have said about the documents of a file."""

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from alerts.detection.detectors import DetectorOptions
from alerts.detection.replays import ReplayedIncident, count
from alerts.detection.replays import replay as replay_counts
from core.errors import NotFoundError, UsageError
from core.settings import Settings, load_settings
from core.times import parse_time
from opinion.champion import load_classifier
from opinion.detection import detector_options

DAY = timedelta(days=1)
DATE_CHARS = len("2026-03-10")
TEXTS_AT_ONCE = 1024

stderr = Console(stderr=True)


@dataclass
class _Documents:
    """What of a file can be counted."""

    at: list[datetime]
    groups: list[str | None]
    is_negative: list[bool]
    left_out: int
    has_only_dates: bool


def replay(
    file: Annotated[Path, typer.Argument(help="JSONL or JSONL.gz of documents.")],
    group_by: Annotated[
        str, typer.Option(help="One series per value of this field: source, topic, domain …; or none.")
    ] = "none",
    use_labels: Annotated[
        bool, typer.Option("--use-labels", help="The file's own labels instead of the model's; others are left out.")
    ] = False,
    negative: Annotated[
        str, typer.Option(help="With --use-labels: which label counts as negative, FIELD=VALUE.")
    ] = "sentiment=negative",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Replay a file's documents in event time through classifier and detector; needs no server, changes nothing.

    Example: opinion replay debate.jsonl.gz --use-labels --group-by domain
    """
    settings = load_settings()
    field = None if group_by == "none" else group_by
    documents = _read(file, field, negative if use_labels else None, settings)
    if not documents.at:
        raise UsageError(
            f"{file.name} holds no document that can be counted",
            remedy="with --use-labels rows need a label; see --negative",
        )
    options = _options(documents, settings)
    start_of = documents.at[0].astimezone(settings.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    counts = count(zip(documents.at, documents.groups, documents.is_negative, strict=True), options.bucket, start_of)
    found = replay_counts(counts, field, options)
    if as_json:
        typer.echo(json.dumps(_report(documents, options, found), ensure_ascii=False))
    else:
        _print(documents, options, found, settings)


def _read(file: Path, field: str | None, negative: str | None, settings: Settings) -> _Documents:
    read = _Documents([], [], [], 0, True)
    pending: list[tuple[dict[str, Any], str]] = []
    for row in _rows(file):
        text, published = row.get("text") or row.get("title"), row.get("published_at") or row.get("created_at")
        try:
            at = parse_time(published, settings.zone)
        except ValueError:
            at = None
        label = None if negative is None else row.get(negative.partition("=")[0])
        if at is None or not isinstance(text, str) or (negative is not None and label is None):
            read.left_out += 1
            continue
        read.has_only_dates &= isinstance(published, str) and len(published.strip()) == DATE_CHARS
        read.at.append(at)
        if negative is not None:
            read.is_negative.append(str(label) == negative.partition("=")[2])
            read.groups.append(_group(row, field))
        else:
            pending.append((row, text))
    if pending:
        _classify(pending, field, read, settings)
    return read


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file; lines that are none come as empty ones."""
    if not file.is_file():
        raise NotFoundError(f"no such file: {file}")
    decoder = msgspec.json.Decoder(dict[str, Any])
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
        for line in lines:
            if line.strip():
                try:
                    yield decoder.decode(line)
                except msgspec.DecodeError:
                    yield {}


def _classify(
    pending: Sequence[tuple[dict[str, Any], str]], field: str | None, read: _Documents, settings: Settings
) -> None:
    """Ask the configured checkpoint for sentiment and, where it is the group, topic."""
    classifier = load_classifier(settings, settings.models.checkpoint)
    stderr.print(f"Classifying {len(pending)} documents with {classifier.version} …", markup=False)
    for start in range(0, len(pending), TEXTS_AT_ONCE):
        part = pending[start : start + TEXTS_AT_ONCE]
        opinions = classifier.classify([text for _, text in part])
        for (row, _), opinion in zip(part, opinions, strict=True):
            read.is_negative.append(opinion.sentiment == "negative")
            read.groups.append(opinion.topic_label if field == "topic" else _group(row, field))


def _group(row: dict[str, Any], field: str | None) -> str | None:
    return None if field is None or row.get(field) is None else str(row[field])


def _options(documents: _Documents, settings: Settings) -> DetectorOptions:
    """The live detector's options; a file that knows only dates is judged day by day."""
    options = detector_options(settings.detect)
    if documents.has_only_dates and options.bucket < DAY:
        stderr.print("The file has dates without times: judged in buckets of one day.")
        return replace(options, bucket=DAY)
    return options


def _report(documents: _Documents, options: DetectorOptions, found: Sequence[ReplayedIncident]) -> dict[str, Any]:
    return {
        "documents": len(documents.at),
        "negative": sum(documents.is_negative),
        "left_out": documents.left_out,
        "bucket_seconds": options.bucket.total_seconds(),
        "incidents": [
            {
                "labels": one.labels,
                "severity": one.episode.severity,
                "status": one.episode.status,
                "starts_at": one.episode.starts_at.isoformat(),
                "ends_at": one.episode.ends_at.isoformat() if one.episode.ends_at else None,
                "detected_at": one.episode.detected_at.isoformat(),
                "observed": one.episode.observed,
                "expected": round(one.episode.expected, 2),
                "score": round(one.episode.score, 2),
            }
            for one in found
        ],
    }


def _print(
    documents: _Documents, options: DetectorOptions, found: Sequence[ReplayedIncident], settings: Settings
) -> None:
    def local(at: datetime | None) -> str:
        return at.astimezone(settings.zone).strftime("%Y-%m-%d %H:%M") if at else "goes on"

    table = Table(
        title=f"{len(found)} incidents in {len(documents.at)} documents, buckets of {options.bucket}",
        caption=f"times of {settings.timezone}; {documents.left_out} rows left out",
    )
    for heading in ("labels", "severity", "starts", "ends", "detected", "observed", "expected", "score"):
        table.add_column(heading)
    for one in found:
        episode = one.episode
        labels = ", ".join(f"{k}={v}" for k, v in one.labels.items() if k != "alertname") or "all"
        cells = [labels, episode.severity, *map(local, (episode.starts_at, episode.ends_at, episode.detected_at))]
        figures = [f"{episode.observed:.0f}", f"{episode.expected:.1f}", f"{episode.score:.1f}"]
        table.add_row(*(_plain(cell) for cell in (*cells, *figures)))
    Console().print(table)


def _plain(text: str) -> str:
    """Crawled names cannot style the table nor steer the terminal."""
    return "".join(c for c in text if c.isprintable()).replace("[", r"\[")
