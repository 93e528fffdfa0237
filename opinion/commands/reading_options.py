"""The options of all commands that read files of documents: how rows become documents."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from core.errors import UsageError
from core.settings import Settings
from streams.intake import IntakeLimits
from streams.sources.columns import Columns
from streams.sources.files import Reading

MapOption = Annotated[
    list[str] | None, typer.Option("--map", metavar="FIELD=COLUMN", help="Read a field from another column.")
]
SourceOption = Annotated[str | None, typer.Option(help="The source of every document, whatever its row says.")]
KindOption = Annotated[str | None, typer.Option(help="The kind of every document: news, comment or post.")]
LangOption = Annotated[str | None, typer.Option(help="The language of every document, as ISO 639-1: zh, en.")]
TimezoneOption = Annotated[
    str | None, typer.Option(help="Of times without a zone; the setting `timezone` if absent.")
]
TimeFormatOption = Annotated[
    str, typer.Option(help="Of times that are not ISO 8601, as strptime takes it: '%Y/%m/%d %H:%M'.")
]
EncodingOption = Annotated[str | None, typer.Option(help="Of CSV files; found out if absent.")]


def reading_of(
    pairs: list[str] | None, constants: Mapping[str, str | None], time_format: str, encoding: str | None
) -> Reading:
    """How files are read for the topic.

    Raises:
        UsageError: an option cannot be used; it is named.
    """
    if constants.get("kind") not in (None, "news", "comment", "post"):
        raise UsageError(f"--kind: {constants['kind']!r} is not news, comment or post")
    return Reading(Columns.parse(pairs or (), constants, time_format), encoding, is_cleaned=False)


def limits_of(settings: Settings, timezone: str | None) -> IntakeLimits:
    """The limits of these settings, with times read in another zone.

    Raises:
        UsageError: there is no such zone.
    """
    limits = IntakeLimits.of(settings)
    if timezone is None:
        return limits
    try:
        return replace(limits, zone=ZoneInfo(timezone))
    except (KeyError, ValueError, OSError):
        raise UsageError(f"--timezone: no such time zone: {timezone!r}", remedy="for example Asia/Shanghai") from None
