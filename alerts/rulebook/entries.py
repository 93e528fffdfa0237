"""What may stand in a rule's definition, wherever it comes from: a YAML file, a command, the API or SQL. Pure."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from alerts.detection.detectors import Sensitivity
from alerts.detection.rules import SEVERITIES, Counted, Dimension, Rule
from core.entry_files import EntryFile
from core.errors import UsageError
from core.records import Severity
from core.watchlist_entries import field_of

MAX_NAME_CHARS: Final = 100
MAX_VALUE_CHARS: Final = 200
MAX_VALUES: Final = 1000
BUILT_IN: Final = ("dead-letters", "source-health")  # watches over records and sources, which are no rules
REMEDY: Final = "docs/how-to/write-rules.md describes rules"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def _speakable(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("control characters and line breaks are not taken")
    return text


def _is_free(name: str) -> str:
    if name in BUILT_IN:
        raise ValueError(f"{name!r} is the name of a built-in watch; take another")
    return name


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _are_distinct(values: list[Any]) -> list[Any]:
    if len(set(values)) != len(values):
        raise ValueError("a value stands in it twice")
    return values


_Text = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, min_length=1, max_length=MAX_VALUE_CHARS),
    AfterValidator(_speakable),
]
_Name = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, pattern=r"^\w[\w .-]*$", max_length=MAX_NAME_CHARS),
    AfterValidator(_is_free),
]
_Values = Annotated[list[_Text], Field(max_length=MAX_VALUES), BeforeValidator(_as_list)]
_Dimensions = Annotated[list[Dimension], BeforeValidator(_as_list), AfterValidator(_are_distinct)]


class RuleDefinition(BaseModel):
    """A rule without its name; `alerts.detection.rules` says what each field means."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"group_by": ["source"], "watchlist": ["苹果"], "sensitivity": "high"}},
    )

    group_by: _Dimensions = Field(default_factory=list, description="One series for each value; none is one series.")
    counted: Counted = Field("negative", description="Negative documents, or all of them.")
    watchlist: _Values = Field(default_factory=list, description="Only documents that mention one of these.")
    topic: _Values = Field(default_factory=list, description="Only documents about one of these.")
    source: _Values = Field(default_factory=list, description="Only documents from one of these.")
    lang: _Values = Field(default_factory=list, description="Only documents in one of these languages.")
    kind: _Values = Field(default_factory=list, description="Only these of news, comment and post.")
    sensitivity: Sensitivity | None = Field(None, description="How little is a surge; the settings' if absent.")
    threshold: float | None = Field(None, ge=1, le=100, description="A score, instead of a sensitivity.")
    min_per_hour: int | None = Field(
        None, ge=1, le=1_000_000, description="Fewer counted in the last hour are never a surge."
    )
    severity_at_least: Severity = Field("info", description="No incident of it is called less.")
    severity_at_most: Severity = Field("critical", description="No incident of it is called more.")
    enabled: bool = Field(True, strict=True, description="False: kept, and not judged.")

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "RuleDefinition":
        if self.sensitivity is not None and self.threshold is not None:
            raise ValueError("it has a sensitivity and a threshold: say one of them")
        if SEVERITIES.index(self.severity_at_least) > SEVERITIES.index(self.severity_at_most):
            raise ValueError("severity_at_least is more than severity_at_most")
        return self

    def named(self, name: str) -> Rule:
        """The rule of this definition."""
        where = {dimension: tuple(sorted(set(getattr(self, dimension)))) for dimension in get_args(Dimension)}
        return Rule(
            name=name,
            group_by=tuple(self.group_by),
            counted=self.counted,
            where=tuple((dimension, values) for dimension, values in where.items() if values),
            sensitivity=self.sensitivity,
            threshold=self.threshold,
            min_per_hour=self.min_per_hour,
            severity_at_least=self.severity_at_least,
            severity_at_most=self.severity_at_most,
            is_enabled=self.enabled,
        )


class RuleEntry(RuleDefinition):
    """A rule as a file has it."""

    name: _Name


def definition_of(rule: Rule) -> dict[str, Any]:
    """What defines a rule, without its name and without what it leaves as it is by default: JSON."""
    values: dict[str, Any] = {
        name: getattr(rule, name) for name in RuleDefinition.model_fields if hasattr(rule, name)
    }
    values.update(group_by=list(rule.group_by), enabled=rule.is_enabled)
    values.update({name: list(given) for name, given in rule.where})
    return RuleDefinition(**values).model_dump(exclude_defaults=True)


def rule_of(name: str, definition: Mapping[str, Any]) -> Rule:
    """The rule that a name and a definition make.

    Raises:
        UsageError: they do not; the message names each field and cause.
    """
    if not isinstance(definition, Mapping):  # SQL takes any JSON
        raise UsageError(f"rule {name!r}: the definition is no object", remedy=REMEDY)
    try:
        entry = RuleEntry.model_validate({**definition, "name": name})
    except ValidationError as error:
        problems = [(field_of(item["loc"]), cause_of(item)) for item in error.errors()]
        told = "; ".join(f"{place}: {cause}" if place else cause for place, cause in problems)
        raise UsageError(f"rule {name!r}: {told}", remedy=REMEDY) from error
    return entry.named(entry.name)


def read_rules(path: Path) -> list[Rule]:
    """The rules of a YAML file, in its order.

    Raises:
        ConfigError: it cannot be read or used; the message names file, line, rule and field.
    """
    return [entry.named(entry.name) for entry in _FILE.read(path)]


def written(rules: list[Rule]) -> str:
    """A rules file that `read_rules` reads as the same rules."""
    return _FILE.write([{"name": rule.name, **definition_of(rule)} for rule in rules])


def cause_of(item: Any) -> str:
    """What is wrong, in words for whoever wrote it."""
    if item["type"] == "extra_forbidden":
        return f"not understood; understood are: {', '.join(('name', *RuleDefinition.model_fields))}"
    if item["type"] == "string_type":
        return f"{item['input']!r} is no text; put it in quotes"
    if item["type"] == "string_pattern_mismatch":
        return "a name is letters, digits, spaces and . _ -, and begins with a letter or digit"
    return str(item["msg"]).removeprefix("Value error, ")


_FILE: Final = EntryFile("rules", RuleEntry, cause_of, REMEDY)
