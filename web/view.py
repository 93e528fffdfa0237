"""What a reader has asked to see: the query string, which is the console's only state."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from core.records import Kind
from core.taxonomy import Sentiment
from core.windows import MINUTE, floor_to
from storage.queries import Freshness
from storage.search import MOST
from storage.series import Filters, Group, Span

Preset = Literal["1h", "6h", "24h", "7d", "30d", "all"]
Compared = Literal["week"]

PRESETS: tuple[Preset, ...] = get_args(Preset)
GROUPS: tuple[Group, ...] = get_args(Group)
WEEK = timedelta(days=7)
LENGTHS = {
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(days=1),
    "7d": WEEK,
    "30d": timedelta(days=30),
}
OLD = timedelta(minutes=15)  # data older than this are history: ranges end with them, not with the present


def _none_if_empty(value: Any) -> Any:
    """A form sends an empty string for "any"."""
    return None if value == "" else value


def no_nul(value: str) -> str:
    """PostgreSQL's text cannot hold NUL, so nothing can match it."""
    if "\x00" in value:
        raise ValueError("a NUL character matches nothing")
    return value


Optionally = BeforeValidator(_none_if_empty)
Name = Annotated[Annotated[str, AfterValidator(no_nul)] | None, Optionally]


class View(BaseModel):
    """The query string of a page or an API call."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    range: Preset = Field("24h", description="How far back; `all` is everything there is.")
    start: Annotated[datetime | None, Optionally] = Field(None, alias="from", description="Overrides `range`.")
    end: Annotated[datetime | None, Optionally] = Field(None, alias="to", description="Overrides `range`.")
    by: Group = Field("topic", description="What the lines of the chart and the table stand for.")
    topic: Name = None
    source: Name = None
    language: Name = None
    watchlist: Name = Field(None, description="Only documents that mention this one, by the sentiment toward it.")
    compare: Annotated[Compared | None, Optionally] = Field(
        None, description="`week`: beside the same time a week earlier, instead of the span before."
    )

    @property
    def filters(self) -> Filters:
        return Filters(topic=self.topic, source=self.source, language=self.language, watchlist=self.watchlist)

    @property
    def is_absolute(self) -> bool:
        return self.start is not None or self.end is not None

    def url(self, path: str, **changes: Any) -> str:
        """A link to `path` with this state, changed; None drops a part, unchanged defaults are left out."""
        state = self.model_dump(by_alias=True, exclude_defaults=True) | changes
        given = {key: written(value) for key, value in state.items() if value is not None}
        return f"{path}?{urlencode(given, safe=':/,')}" if given else path

    def fields(self, *but: str) -> list[tuple[str, str]]:
        """This state as a form's hidden fields, without these parts and without unchanged defaults."""
        state = self.model_dump(by_alias=True, exclude_defaults=True)
        return [(key, written(value)) for key, value in state.items() if value is not None and key not in but]

    @property
    def is_filtered(self) -> bool:
        """Whether anything is left out but by time."""
        return any((self.topic, self.source, self.language, self.watchlist))

    def documents(self, **changes: Any) -> str:
        """A link to the documents that this view counts; see `url`."""
        ranged = {} if self.is_absolute else {"range": self.range}
        return self.url("/documents", **{"by": None, "compare": None, **ranged, **changes})


class DocumentsView(View):
    """The query string of the document list."""

    range: Preset = "all"
    q: Name = Field(None, description="Words that have to occur; docs/how-to/search.md has the syntax.")
    sentiment: Annotated[Sentiment | None, Optionally] = None
    kind: Annotated[Kind | None, Optionally] = None
    before: Name = Field(None, description="The `next` of the page before.")
    limit: int = Field(50, ge=1, le=MOST, description="Documents in a page.")


class ListView(DocumentsView):
    """The query string of the page of documents."""

    copies: Literal["one", "all"] = Field("one", description="`all`: each copy of a text, too.")

    @property
    def is_narrowed(self) -> bool:
        """Whether anything but the time is asked for."""
        return bool(self.filters.given() or self.sentiment or self.kind or self.watchlist or self.q)


@dataclass(frozen=True, slots=True)
class Window:
    """The event time that a view covers.

    Attributes:
        is_historic: the data are old, so the range ends with the newest document instead of the present.
    """

    span: Span
    is_historic: bool


def written(value: Any) -> str:
    """As a person would write it into the address: times without seconds where there are none, UTC as Z."""
    if not isinstance(value, datetime):
        return str(value)
    detail = "minutes" if value.second == value.microsecond == 0 else "auto"
    return value.isoformat(timespec=detail).replace("+00:00", "Z")


def compared_span(view: View, span: Span) -> Span:
    """What a span is compared with: the one of equal length before it, or the same time a week earlier."""
    back = WEEK if view.compare == "week" else span.length
    return Span(span.start - back, span.end - back)


def window_of(view: View, freshness: Freshness, now: datetime, zone: ZoneInfo) -> Window:
    """Resolve a preset or absolute times; never wider than the data, so that no chart has endless empty buckets."""
    newest = freshness.newest_bucket_at
    present = floor_to(now, MINUTE) + MINUTE
    is_historic = newest is not None and newest < now - OLD
    end = newest + MINUTE if newest and is_historic else present
    if newest is None or freshness.oldest_bucket_at is None:
        return Window(Span(end - LENGTHS.get(view.range, LENGTHS["24h"]), end), is_historic=False)
    everything = Span(freshness.oldest_bucket_at, max(end, newest + MINUTE))
    if view.is_absolute:
        start = _aware(view.start, zone) if view.start else everything.start
        until = _aware(view.end, zone) if view.end else everything.end
        start = min(max(start, everything.start), everything.end - MINUTE)
        return Window(Span(start, max(start + MINUTE, min(until, everything.end))), is_historic=False)
    if view.range == "all":
        return Window(everything, is_historic)
    return Window(Span(end - LENGTHS[view.range], end), is_historic)


def _aware(at: datetime, zone: ZoneInfo) -> datetime:
    """Times without a zone are local ones, as people write them by hand."""
    return at if at.tzinfo else at.replace(tzinfo=zone)
