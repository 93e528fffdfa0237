"""What a reader of `/incidents` has asked to see, and where the figures of an incident lead."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from core.records import AlertStatus, Severity
from storage.incident_list import Wanted
from storage.queries import Incident
from web.view import DocumentsView, Name, Optionally, View, no_nul

CONTEXT: Final = timedelta(hours=6)  # of calm before an incident, so that the chart shows what was expected
PAGE: Final = 50
DIMENSIONS: Final = ("cluster", "source", "topic", "watchlist", "term")
"""Of drivers, in the order in which they are shown."""
FILTERS: Final = {"topic": "topic", "source": "source", "lang": "language", "watchlist": "watchlist", "term": "q"}
"""By label or dimension of drivers, the filter of the documents' page that it is."""


Words = Annotated[Annotated[str, Field(max_length=200), AfterValidator(no_nul)] | None, Optionally]


class IncidentsView(BaseModel):
    """The query string of the list."""

    model_config = ConfigDict(frozen=True)

    status: Annotated[AlertStatus | None, Optionally] = None
    severity: Annotated[Severity | None, Optionally] = None
    rule: Name = None
    watchlist: Name = None
    topic: Name = None
    source: Name = None
    q: Words = Field(None, description="Stands in labels, prose or rule.")
    page: int = Field(1, ge=1, le=200, description="From 1 on.")

    @property
    def wanted(self) -> Wanted:
        return Wanted(self.status, self.severity, self.rule, self.watchlist, self.topic, self.source, self.q)

    @property
    def is_narrowed(self) -> bool:
        """By more than status and severity."""
        return any((self.rule, self.watchlist, self.topic, self.source, self.q))

    def url(self, **changes: Any) -> str:
        """A link to the list with this state, changed, from its first page; None drops a part."""
        state = self.model_dump(exclude_defaults=True, exclude={"page"}) | changes
        given = {name: str(value) for name, value in state.items() if value is not None}
        return f"/incidents?{urlencode(given)}" if given else "/incidents"


class IncidentsQuery(IncidentsView):
    """The same for programs, who say how many they want."""

    limit: int = Field(50, ge=1, le=500, description="Incidents in a page.")


def scope_of(incident: Incident) -> DocumentsView:
    """The documents that an incident is about, as a query string."""
    labels = incident.labels
    return DocumentsView(
        start=incident.starts_at,
        end=incident.ends_at or incident.last_fired_at,
        topic=labels.get("topic"),
        source=labels.get("source"),
        language=labels.get("lang"),
        watchlist=labels.get("watchlist"),
        sentiment="negative",
    )


def window_of(incident: Incident, body: Mapping[str, Any]) -> DocumentsView:
    """The documents of the window whose figures are shown; of the whole incident where no evidence says it."""
    scope = scope_of(incident)
    try:
        start, end = (datetime.fromisoformat(body[name]) for name in ("window_starts_at", "window_ends_at"))
    except (KeyError, TypeError, ValueError):
        return scope
    counted = None if body.get("counted") == "total" else "negative"
    return scope.model_copy(update={"start": start, "end": end, "sentiment": counted})


def around(incident: Incident, scope: DocumentsView) -> View:
    """The chart's query string: the incident with some calm before it, by what the labels leave open."""
    end = scope.end or incident.last_fired_at
    length = max(end - incident.starts_at, timedelta(minutes=5))
    return View(
        start=incident.starts_at - max(3 * length, CONTEXT),
        end=end + length,
        by="source" if scope.topic else "topic",
        topic=scope.topic,
        source=scope.source,
        language=scope.language,
        watchlist=scope.watchlist,
    )
