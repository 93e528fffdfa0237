"""Behaviour reports: what counts as passed, the figures, and what the gate makes of two of them."""

from collections.abc import Callable, Sequence

import msgspec
import pytest

from core.records import Opinion
from models.behaviour import Report, card_section, examine
from models.behaviour_gate import BehaviourChange, compare, judge_behaviour
from models.behaviour_suite import Case
from models.gate import GateFigures, judge
from models.gate_options import GateOptions
from models.gate_verdict import Comparison
from tests.support.contestants import BETTER

NEGATIVE = {"rude": 0.9, "slow": 0.6, "meh": 0.3}


def opinion(negative: float) -> Opinion:
    sentiment = "negative" if negative > 0.5 else "positive"
    scores = {"negative": negative, "neutral": 0.0, "positive": 1 - negative}
    return Opinion(
        topic_label="society", topic_scores={}, sentiment=sentiment, sentiment_scores=scores, model_version="m"
    )


def by_words(texts: Sequence[str]) -> list[Opinion]:
    """A model that knows three words."""
    return [opinion(max((NEGATIVE.get(word, 0.0) for word in text.split()), default=0.0)) for text in texts]


def always(negative: float) -> Callable[[Sequence[str]], list[Opinion]]:
    return lambda texts: [opinion(negative) for _ in texts]


def case(type_: str, *texts: str, expect: str = "", groups: tuple[str, ...] = (), template: str = "") -> Case:
    expected = (expect,) if expect else ()
    return Case("manners", "en", type_, "sentiment", template or texts[0], texts, groups, expected)  # type: ignore[arg-type]


BASICS = [
    case("MFT", text, expect=expect, template=f"{text} {nth}")
    for nth in range(20)
    for text, expect in (("so rude", "negative"), ("so kind", "positive"))
]


@pytest.mark.parametrize(
    ("one", "is_passed"),
    [
        (case("MFT", "so rude", expect="negative"), True),
        (case("MFT", "so kind", expect="negative"), False),
        (case("INV", "a rude man", "a rude woman"), True),
        (case("INV", "a man", "a rude woman"), False),
        (case("DIR", "a meh man", "a slow man", expect="rises"), True),
        (case("DIR", "a slow man", "a meh man", expect="rises"), False),
        (case("DIR", "a slow man", "a meh man", expect="falls"), True),
        (case("DIR", "a meh man", "a meh woman", expect="rises"), False),
        (case("DIR", "a man", "a woman", expect="falls"), True),
    ],
)
def test_what_counts_as_passed(one: Case, is_passed: bool) -> None:
    """Right label, same label, score moved the right way; a score with no room left need not move."""
    assert examine([one], by_words, "m").outcomes[0].is_passed is is_passed


def test_rates_and_failures_name_what_goes_wrong() -> None:
    """A rate for each capability, language and type; failing examples show different templates first."""
    cases = [
        case("MFT", "so kind", expect="negative", template="a"),
        case("MFT", "very kind", expect="negative", template="a"),
        case("MFT", "how kind", expect="negative", template="b"),
        case("MFT", "so rude", expect="negative", template="c"),
    ]
    report = examine(cases, by_words, "m")
    assert [(rate.passed, rate.cases) for rate in report.rates()] == [(1, 4)]
    assert [one.case.texts[0] for one in report.failures(2)] == ["so kind", "how kind"]
    assert report.as_json(3)["failures"][2]["texts"] == ("very kind",)


def test_the_gap_between_groups_is_a_number() -> None:
    """A model that minds who is spoken of shows it in mean scores and flipped labels."""
    cases = [
        case("INV", "a meh man", "a slow woman", groups=("male", "female")),
        case("INV", "a man", "a woman", groups=("male", "female")),
    ]
    (gap,) = examine(cases, by_words, "m").gaps()
    assert gap.negative == {"male": 0.15, "female": 0.3}
    assert (gap.gap, gap.flips, gap.sentences) == (0.15, 0.5, 2)


def test_the_card_has_both_tables() -> None:
    """Whoever picks a model sees pass rates and gaps without running anything."""
    report = examine([*BASICS, case("INV", "a man", "a rude woman", groups=("male", "female"))], by_words, "m")
    title, markdown = card_section(report)
    assert title == "Behaviour"
    assert "| manners | en | 100% of 40 | 0% of 1 |  |" in markdown
    assert "| manners | en | 1 | male 0.000, female 0.900 | 0.900 | 100.0% |" in markdown


def test_a_report_can_be_stored() -> None:
    """Reports survive JSON, so that a champion's need not be made again."""
    report = examine(BASICS, by_words, "m")
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report


def test_a_lost_capability_is_refused() -> None:
    """A candidate that forgets to be polite does not become champion, whatever it gained on new labels."""
    changes = compare(examine(BASICS, by_words, "m"), examine(BASICS, always(0.1), "n"))
    verdict = judge(GateFigures(BETTER, Comparison(0, "macro-F1", {}, {}), behaviour=changes), GateOptions())
    assert not verdict.is_accepted
    assert verdict.reasons[0].startswith(
        "refused: behaviour, manners (en): 20 of 40 cases, champion 40; worse on 20 templates, better on 0"
    )


def test_a_fall_that_may_be_chance_is_not_refused() -> None:
    """Few templates, or as many better as worse, decide nothing."""
    few = [*BASICS[:4], *[case("INV", "a man", "a woman", template=f"{nth}") for nth in range(4)]]
    changes = compare(examine(few, by_words, "m"), examine(few, always(0.9), "n"))
    assert changes[0].fall == 0.25
    is_passed, reasons = judge_behaviour(changes)
    assert is_passed
    assert reasons == ["passed: behaviour (8 cases): 6 passed, champion 8, no capability fell"]
    mixed = BehaviourChange("irony", "en", 60, 40, 30, lost=16, gained=10, is_judged=True)
    assert judge_behaviour([mixed])[0]


def test_cases_of_one_template_are_one_vote() -> None:
    """Forty cases that stand and fall together are no more evidence than one."""
    same = [*BASICS, *[case("INV", "a man", "a rude woman", template="t") for _ in range(40)]]
    before = examine(same, always(0.1), "m")
    (change,) = compare(before, examine(same, by_words, "n"))
    assert (change.lost, change.gained) == (1, 20)


def test_a_champion_that_knows_nothing_has_nothing_to_lose() -> None:
    """A constant answer passes every invariance test; who learns something is not refused for failing some."""
    invariance = [case("INV", "a man", "a rude woman", template=f"{nth}") for nth in range(40)]
    changes = compare(
        examine([*BASICS, *invariance], always(0.9), "m"), examine([*BASICS, *invariance], by_words, "n")
    )
    assert changes[0].fall > 0.2
    assert judge_behaviour(changes) == (
        True,
        ["behaviour in en was not judged: the champion itself fails the basics"],
    )


def test_reports_on_different_cases_are_not_compared() -> None:
    """A changed suite must not look like a changed model."""
    with pytest.raises(ValueError, match="different behaviour cases"):
        compare(examine(BASICS, by_words, "m"), examine(BASICS[1:], by_words, "n"))
