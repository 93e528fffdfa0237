"""The form of a rule: read as a rule, and filled from a definition."""

from typing import Any, Final, get_args

from pydantic import ValidationError

from alerts.detection.rules import Dimension, Rule
from alerts.rulebook.entries import RuleDefinition, RuleEntry, definition_of
from alerts.rulebook.merging import Rulebook
from core.taxonomy import TOPICS
from web.editing import Fault, Faults, Form, faults_of, given, lines, ticked

DIMENSIONS: Final[tuple[Dimension, ...]] = get_args(Dimension)
KINDS: Final = ("news", "post", "comment")
DAYS: Final = ("7", "14", "28")
MOST_MESSAGES: Final = 100_000.0


def read(form: Form, was: str) -> tuple[Rule | None, Faults]:
    """The rule that a form makes, else what is wrong with it."""
    body: dict[str, Any] = given(
        form, "counted", "sensitivity", "threshold", "min_per_hour", "severity_at_least", "severity_at_most"
    )
    body |= {"name": was or form.get("name", ""), "enabled": bool(form.get("enabled"))}
    body |= {"group_by": ticked(form, "group_by", DIMENSIONS), "kind": ticked(form, "kind", KINDS)}
    body |= {name: lines(form, name) for name in ("watchlist", "source", "lang")}
    body["topic"] = [*ticked(form, "topic", TOPICS), *lines(form, "topic")]
    try:
        entry = RuleEntry.model_validate(body)
    except ValidationError as error:
        return None, faults_of(error)
    return entry.named(entry.name), {}


def budget_of(form: Form) -> tuple[float | None, Faults]:
    """Messages a week."""
    try:
        budget = float(form.get("messages_per_week", ""))
    except ValueError:
        return None, {"messages_per_week": [Fault("number")]}
    if not 0 <= budget <= MOST_MESSAGES:
        return None, {"messages_per_week": [Fault("number")]}
    return budget, {}


def form_of(definition: Any) -> dict[str, str]:
    """What stands in the fields for a definition; one that says nothing usable gives the usual."""
    try:
        said = RuleDefinition.model_validate(definition)
    except ValidationError:
        said = RuleDefinition()
    form = {
        "counted": said.counted,
        "sensitivity": said.sensitivity or "",
        "threshold": "" if said.threshold is None else f"{said.threshold:g}",
        "min_per_hour": str(said.min_per_hour or ""),
        "severity_at_least": said.severity_at_least,
        "severity_at_most": said.severity_at_most,
        "enabled": "1" if said.enabled else "",
        "topic": "\n".join(one for one in said.topic if one not in TOPICS),
        "days": DAYS[0],
    }
    form |= {name: "\n".join(getattr(said, name)) for name in ("watchlist", "source", "lang")}
    form |= {f"group_by.{one}": "1" for one in said.group_by} | {f"kind.{one}": "1" for one in said.kind}
    return form | {f"topic.{one}": "1" for one in said.topic if one in TOPICS}


def form_of_rule(book: Rulebook, name: str) -> dict[str, str]:
    """The same for a rule that holds, under its name."""
    row = book.stored.get(name)
    definition = row.definition if row is not None else definition_of(book.rules[name])
    return {**form_of(definition), "was": name, "name": name}


def is_locked(book: Rulebook, name: str) -> bool:
    """Whether the rules file owns it."""
    row = book.stored.get(name)
    return row is not None and row.file is not None
