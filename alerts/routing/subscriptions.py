"""Who wants to hear of what, and when: subscriptions as people write them (`Definition`) and as they are used.

Without any subscription `EVERYTHING` holds: all receivers of the settings hear of everything at once. Pure.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time, timedelta
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from alerts.routing.matchers import Matcher, matcher, matchers
from alerts.routing.quiet_hours import QuietHours
from core.durations import duration
from core.errors import UsageError
from core.records import Severity
from core.watchlist_entries import speakable

ALL: Final = "*"
MAX_NAME_CHARS: Final = 100
MAX_RECEIVER_CHARS: Final = 300
LONGEST: Final = timedelta(days=365)
REMIND: Final = timedelta(hours=24)
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
REMEDY: Final = "docs/how-to/route-alerts.md"
HOUR: Final = r"(?:[01]\d|2[0-3]):[0-5]\d"

Language = Literal["zh", "en"]


def _understood(text: str) -> str:
    try:
        return str(matcher(text))
    except UsageError as error:
        raise ValueError(error.message) from error


def _length(text: str) -> str:
    if text not in ("0", "never") and duration(text) > LONGEST:
        raise ValueError(f"longer than a year: {text!r}")
    return text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:  # whatever the name does to a path of the zones' files
        raise ValueError(f"not a time zone: {name!r}; for example Asia/Shanghai") from error
    return name


def _hours(text: str) -> str:
    if text and text[:5] == text[6:]:
        raise ValueError("they begin and end at the same time")
    return text


_Text = Annotated[str, StringConstraints(strict=True, strip_whitespace=True, min_length=1), AfterValidator(speakable)]
_Receiver = Annotated[_Text, Field(max_length=MAX_RECEIVER_CHARS)]
_Length = Annotated[str, StringConstraints(strict=True, max_length=20), AfterValidator(_length)]
_Clock = Annotated[str, StringConstraints(strict=True, pattern=rf"^{HOUR}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Quiet(_Part):
    """When messages are held back, to be told as one at the end."""

    hours: Annotated[
        str, StringConstraints(strict=True, pattern=rf"^(?:{HOUR}-{HOUR})?$"), AfterValidator(_hours)
    ] = Field("", description="Of every day, as `22:30-07:00`; empty: none.")
    weekends: bool = Field(False, description="The whole of Saturday and Sunday, too.")
    zone: Annotated[str, StringConstraints(strict=True, max_length=100), AfterValidator(_zone)] = Field(
        "Asia/Shanghai", description="Whose hours and weekends these are; digests go by it, too."
    )
    critical_passes: bool = Field(True, description="Critical incidents are told all the same.")


class Escalation(_Part):
    """Who else is told when nobody acknowledges."""

    after: _Length = Field(description="So long after the subscribers were told, as `15m`.")
    to: Annotated[list[_Receiver], Field(min_length=1, max_length=100)] = Field(description="Names of receivers.")


class Digest(_Part):
    """A summary at a local time (of `quiet.zone`)."""

    daily: Annotated[str, StringConstraints(strict=True, pattern=rf"^(?:{HOUR})?$")] = Field(
        "", description="Every day, as `09:00`; empty: none."
    )
    weekly: Annotated[str, StringConstraints(strict=True, pattern=rf"^(?:(?:{'|'.join(WEEKDAYS)}) {HOUR})?$")] = (
        Field("", description="Once a week, as `mon 09:00`; empty: none.")
    )


class Definition(_Part):
    """A subscription without its name."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"who": ["*"], "match": ['topic="sports"']}}
    )

    who: Annotated[list[_Receiver], Field(min_length=1, max_length=100)] = Field(
        description="Names of receivers (`opinion subscriptions receivers`), or `*` for all."
    )
    match: Annotated[list[Annotated[_Text, AfterValidator(_understood)]], Field(max_length=100)] = Field(
        default_factory=list, description='What the labels have to be, all of it: `topic="sports"`, `source!~"a.*"`.'
    )
    min_severity: Severity = Field("info", description="Less is not told.")
    wait: _Length = Field("30s", description="So long related findings are waited for; `0`: not at all.")
    group_by: Annotated[list[_Text], Field(max_length=20)] = Field(
        default_factory=list, description="Incidents with the same values of these labels come as one message, too."
    )
    remind: _Length = Field("24h", description="Tell again while nobody acknowledges; `never`: not at all.")
    quiet: Quiet = Quiet()
    escalate: Annotated[list[Escalation], Field(max_length=10)] = Field(default_factory=list)
    digest: Digest = Digest()
    instant: bool = Field(True, description="False: digests only.")
    language: Language | None = Field(None, description="`zh` or `en`; both where none is said.")

    @model_validator(mode="after")
    def _tells_something(self) -> "Definition":
        if not self.instant and not (self.digest.daily or self.digest.weekly):
            raise ValueError("it would tell nothing: instant is false, and there is no digest")
        return self


class Entry(Definition):
    """A subscription as a file has it."""

    name: Annotated[_Text, Field(max_length=MAX_NAME_CHARS)]


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """Receivers that are told when nobody acknowledges for so long."""

    after: timedelta
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription ready for use; `Definition` says what each field means."""

    name: str
    who: tuple[str, ...]
    conditions: tuple[Matcher, ...] = ()
    min_severity: Severity = "info"
    wait: timedelta = timedelta(0)
    group_by: tuple[str, ...] = ()
    remind: timedelta | None = REMIND
    quiet: QuietHours = field(default_factory=lambda: QuietHours(ZoneInfo("UTC")))
    critical_passes: bool = True
    escalations: tuple[EscalationStep, ...] = ()
    daily: time | None = None
    weekly: tuple[int, time] | None = None
    instant: bool = True
    language: Language | None = None

    def is_for(self, receiver: str) -> bool:
        """Whether it tells this receiver by itself, without any escalation."""
        return ALL in self.who or receiver in self.who


EVERYTHING: Final = Subscription("", (ALL,))
"""What holds while there is no subscription."""


def subscription_of(name: str, definition: Mapping[str, Any]) -> Subscription:
    """The subscription that a name and a definition make.

    Raises:
        UsageError: they do not; the message names each field and cause.
    """
    return ready(entry_of(name, definition))


def ready(entry: Entry) -> Subscription:
    """The same for use."""
    quiet, digest = entry.quiet, entry.digest
    start, _, end = quiet.hours.partition("-")
    day, _, at = digest.weekly.partition(" ")
    return Subscription(
        name=entry.name,
        who=tuple(entry.who),
        conditions=matchers(entry.match),
        min_severity=entry.min_severity,
        wait=_timedelta(entry.wait) or timedelta(0),
        group_by=tuple(entry.group_by),
        remind=_timedelta(entry.remind),
        quiet=QuietHours(ZoneInfo(quiet.zone), _time(start), _time(end), quiet.weekends),
        critical_passes=quiet.critical_passes,
        escalations=tuple(EscalationStep(duration(one.after), tuple(one.to)) for one in entry.escalate),
        daily=_time(digest.daily),
        weekly=(WEEKDAYS.index(day), time.fromisoformat(at)) if at else None,
        instant=entry.instant,
        language=entry.language,
    )


def entry_of(name: str, definition: Mapping[str, Any]) -> Entry:
    """The same, as it is written; raises as `subscription_of`."""
    if not isinstance(definition, Mapping):  # SQL takes any JSON
        raise UsageError(f"subscription {name[:60]!r}: the definition is no object", remedy=REMEDY)
    try:
        return Entry.model_validate({**definition, "name": name})
    except ValidationError as error:
        raise UsageError(f"subscription {name[:60]!r}: {'; '.join(problems_of(error))}", remedy=REMEDY) from error


def definition_of(entry: Definition) -> dict[str, Any]:
    """What defines it, without its name and without what is as usual: JSON."""
    return entry.model_dump(exclude_defaults=True, exclude={"name"}, mode="json")


def problems_of(error: ValidationError, skip: int = 0) -> Iterator[str]:
    """One clause for each thing that is wrong, with its field."""
    for item in error.errors():
        place = ".".join(str(step) for step in item["loc"][skip:])
        cause = str(item["msg"]).removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            cause = f"not understood; a subscription has: {', '.join(('name', *Definition.model_fields))}"
        yield f"{place}: {cause}" if place else cause


def usable(
    definitions: Sequence[tuple[str, Mapping[str, Any]]],
) -> tuple[list[Subscription], dict[str, str]]:
    """The subscriptions that can be used, and what is wrong with the others, by name; SQL may hold anything."""
    found, wrong = [], {}
    for name, definition in definitions:
        try:
            found.append(subscription_of(name, definition))
        except UsageError as error:
            wrong[name] = error.message
    return found, wrong


def _timedelta(text: str) -> timedelta | None:
    return None if text in ("0", "never") else duration(text)


def _time(text: str) -> time | None:
    return time.fromisoformat(text) if text else None
