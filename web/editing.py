"""Forms that edit a definition: what stands in their fields, and what is wrong with it, field by field."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from core.watchlist_entries import cause_of

Form = Mapping[str, str]

TYPES: Final[Mapping[str, str]] = {
    "missing": "missing",
    "string_too_short": "missing",
    "too_short": "missing",
    "string_too_long": "too_long",
    "too_long": "too_many",
    "greater_than_equal": "at_least",
    "less_than_equal": "at_most",
    "int_parsing": "number",
    "float_parsing": "number",
    "finite_number": "number",
    "literal_error": "choice",
}
"""By pydantic's type of an error the key of its words, `fault.KEY`; those of `LIMITS` say a bound, too."""

LIMITS: Final[Mapping[str, str]] = {
    "too_long": "max_length",
    "too_many": "max_length",
    "at_least": "ge",
    "at_most": "le",
}

CAUSES: Final[Sequence[tuple[str, str, str]]] = (
    ("control characters", "control", ""),
    ("nothing in it to look for", "blank", ""),
    ("there is nothing to look for", "nothing_sought", "any"),
    ("holds where nothing occurs", "met_by_nothing", "query"),
    ("name of a built-in watch", "built_in", ""),
    ("a sensitivity and a threshold", "two_thresholds", "threshold"),
    ("severity_at_least is more", "severities", "severity_at_least"),
    ("it would tell nothing", "tells_nothing", "instant"),
    ("not a time zone", "zone", ""),
    ("begin and end at the same time", "same_hours", ""),
)
"""A part of the cause, the key of its words, and the field it is said beside where pydantic names none."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a field and what to do: `fault.KEY` in the reader's language.

    Attributes:
        line: of a field that takes one value a line; 0 where it is about all of it.
    """

    key: str
    line: int = 0
    values: Mapping[str, object] = field(default_factory=dict)


UNNAMED: Final = "preview"

Faults = Mapping[str, Sequence[Fault]]
"""By field; a field of a part is `part-field`, as in the form."""


def lines(form: Form, name: str) -> list[str]:
    """What a field with one value a line holds; blank lines are nothing."""
    return [line.strip() for line in form.get(name, "").splitlines() if line.strip()]


def ticked(form: Form, name: str, choices: Sequence[str]) -> list[str]:
    """Those of the choices whose box `NAME.CHOICE` is ticked."""
    return [one for one in choices if form.get(f"{name}.{one}")]


def given(form: Form, *names: str) -> dict[str, str]:
    """The fields that say something, without those that are left to the usual."""
    return {name: form[name].strip() for name in names if form.get(name, "").strip()}


def to_try(form: Form) -> Form:
    """The form with a name, as a preview has no need of one; what is typed first need not be the name."""
    return form if form.get("name", "").strip() else {**form, "name": UNNAMED}


def faults_of(error: ValidationError) -> Faults:
    """What pydantic found, beside the fields it is about."""
    found: defaultdict[str, list[Fault]] = defaultdict(list)
    for item in error.errors():
        name, fault = _fault(item)
        if fault not in found[name]:
            found[name].append(fault)
    return dict(found)


def _fault(item: Any) -> tuple[str, Fault]:
    loc, cause = item["loc"], cause_of(item)
    name = "-".join(step for step in loc if isinstance(step, str))
    line = next((step + 1 for step in loc if isinstance(step, int)), 0)
    for part, key, beside in CAUSES:
        if part in cause:
            return name or beside, Fault(key, line)
    if item["type"] == "string_pattern_mismatch":
        return name, Fault(f"form.{name}", line)
    if key := TYPES.get(item["type"], ""):
        if key == "too_many" and isinstance(item["input"], str):
            key = "too_long"
        return name, Fault(key, line, {"limit": item["ctx"][LIMITS[key]]} if key in LIMITS else {})
    return name, Fault("other", line, {"cause": cause})
