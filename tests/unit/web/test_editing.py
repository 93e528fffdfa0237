"""What is wrong with a form is said beside the field, in both languages."""

import pytest
from pydantic import ValidationError

from alerts.routing.subscriptions import Entry as SubscriptionEntry
from alerts.rulebook.entries import RuleEntry
from core.watchlist_entries import Entry
from web.editing import CAUSES, TYPES, Fault, faults_of, lines, ticked
from web.i18n import LANGUAGES, translate


@pytest.mark.parametrize(
    ("model", "body", "field", "fault"),
    [
        (Entry, {"name": "a"}, "any", Fault("nothing_sought")),
        (Entry, {"name": "", "any": ["x"]}, "name", Fault("missing")),
        (Entry, {"name": "a", "any": ["x", " "]}, "any", Fault("missing", 2)),
        (Entry, {"name": "a", "query": "NOT x"}, "query", Fault("met_by_nothing")),
        (Entry, {"name": "a" * 201, "any": ["x"]}, "name", Fault("too_long", values={"limit": 200})),
        (Entry, {"name": "a", "any": ["x\x01"]}, "any", Fault("control", 1)),
        (RuleEntry, {"name": "-a"}, "name", Fault("form.name")),
        (RuleEntry, {"name": "dead-letters"}, "name", Fault("built_in")),
        (RuleEntry, {"name": "a", "threshold": "0.5"}, "threshold", Fault("at_least", values={"limit": 1.0})),
        (RuleEntry, {"name": "a", "min_per_hour": "many"}, "min_per_hour", Fault("number")),
        (RuleEntry, {"name": "a", "threshold": 5, "sensitivity": "low"}, "threshold", Fault("two_thresholds")),
        (
            RuleEntry,
            {"name": "a", "severity_at_least": "critical", "severity_at_most": "info"},
            "severity_at_least",
            Fault("severities"),
        ),
        (SubscriptionEntry, {"name": "a", "who": []}, "who", Fault("missing")),
        (SubscriptionEntry, {"name": "a", "who": ["*"], "instant": False}, "instant", Fault("tells_nothing")),
        (SubscriptionEntry, {"name": "a", "who": ["*"], "quiet": {"zone": "Mars"}}, "quiet-zone", Fault("zone")),
        (
            SubscriptionEntry,
            {"name": "a", "who": ["*"], "quiet": {"hours": "8-9"}},
            "quiet-hours",
            Fault("form.quiet-hours"),
        ),
        (
            SubscriptionEntry,
            {"name": "a", "who": ["*"], "digest": {"weekly": "monday"}},
            "digest-weekly",
            Fault("form.digest-weekly"),
        ),
    ],
)
def test_a_fault_stands_beside_its_field(
    model: type[Entry], body: dict[str, object], field: str, fault: Fault
) -> None:
    """With its line, and words for it in every language."""
    with pytest.raises(ValidationError) as refused:
        model.model_validate(body)
    found = faults_of(refused.value)
    assert list(found) == [field]
    assert found[field] == [fault]
    for language in LANGUAGES:
        assert translate(language, f"fault.{fault.key}", **fault.values)


def test_every_known_cause_has_words() -> None:
    """What is looked up by a part of its cause, or by its type, is never a missing key."""
    keys = {key for _, key, _ in CAUSES} | set(TYPES.values())
    for language in LANGUAGES:
        for key in keys:
            assert translate(language, f"fault.{key}", limit=1, cause="x")


def test_fields_are_read_as_people_fill_them() -> None:
    """Blank lines and the space around words are nothing; only boxes that there are can be ticked."""
    form = {"any": " 苹果 \r\n\r\n\u3000\niPhone", "by.topic": "1", "by.other": "1", "by.lang": ""}
    assert lines(form, "any") == ["苹果", "iPhone"]
    assert lines(form, "none") == []
    assert ticked(form, "by", ("topic", "lang")) == ["topic"]
