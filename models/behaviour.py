"""Does a classifier behave: pass rates on the behaviour cases, and how far swapped words move its verdicts."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from core.records import Opinion
from core.taxonomy import Head
from models.behaviour_suite import Case

NO_ROOM: Final = (
    0.02  # a negative score this close to 0 or 1 need not move any furtherTYPES: Final = ("MFT", "INV", "DIR")
)

TYPES: Final = ("MFT", "INV", "DIR")

Key = TypeVar("Key")
Classify = Callable[[Sequence[str]], Sequence[Opinion]]


class Outcome(msgspec.Struct, frozen=True):
    """What a model answered to one case.

    Attributes:
        answers, negative: label and negative score of each text of the case, in order.
    """

    case: Case
    answers: tuple[str, ...]
    negative: tuple[float, ...]
    is_passed: bool


class Rate(msgspec.Struct, frozen=True):
    """Passed cases of one capability, language and test type."""

    capability: str
    lang: str
    type: str
    passed: int
    cases: int

    @property
    def share(self) -> float:
        return self.passed / self.cases


class Gap(msgspec.Struct, frozen=True):
    """How much it matters which group a sentence is about; the sentences of all groups are otherwise the same.

    Attributes:
        negative: mean negative score by group.
        gap: the largest of them minus the smallest.
        flips: share of sentences whose label is not the same for every group.
    """

    capability: str
    lang: str
    sentences: int
    negative: dict[str, float]
    gap: float
    flips: float


class Report(msgspec.Struct, frozen=True):
    """Every case with its outcome; figures are derived."""

    model_version: str
    outcomes: list[Outcome]

    def rates(self) -> list[Rate]:
        """By capability, language and type, in that order."""
        return [
            Rate(*key, sum(one.is_passed for one in outcomes), len(outcomes))
            for key, outcomes in _grouped(self.outcomes, lambda case: (case.capability, case.lang, case.type))
        ]

    def gaps(self) -> list[Gap]:
        """One for each capability and language with swapped words."""
        swapped = [one for one in self.outcomes if one.case.groups]
        by_groups = _grouped(swapped, lambda case: (case.capability, case.lang, case.groups))
        return [_gap(capability, lang, outcomes) for (capability, lang, _), outcomes in by_groups]

    def failures(self, most: int) -> list[Outcome]:
        """The first `most` failed cases of each capability, language and type, of different templates first."""
        found: list[Outcome] = []
        for _, outcomes in _grouped(self.outcomes, lambda case: (case.capability, case.lang, case.type)):
            nth_of_template: Counter[str] = Counter()
            ranked: list[tuple[int, Outcome]] = []
            for one in outcomes:
                if not one.is_passed:
                    ranked.append((nth_of_template[one.case.template], one))
                    nth_of_template[one.case.template] += 1
            found += [one for _, one in sorted(ranked, key=lambda pair: pair[0])[:most]]
        return found

    def as_json(self, most_failures: int) -> dict[str, Any]:
        """Figures and failing examples as plain JSON values."""
        return {
            "model_version": self.model_version,
            "cases": len(self.outcomes),
            "passed": sum(one.is_passed for one in self.outcomes),
            "rates": [{**msgspec.structs.asdict(rate), "share": round(rate.share, 4)} for rate in self.rates()],
            "gaps": [msgspec.structs.asdict(gap) for gap in self.gaps()],
            "failures": [
                {
                    **msgspec.to_builtins(one.case),
                    "answers": list(one.answers),
                    "negative": [round(score, 4) for score in one.negative],
                }
                for one in self.failures(most_failures)
            ],
        }


def examine(cases: Sequence[Case], classify: Classify, model_version: str) -> Report:
    """Classify every text of the cases, in one call, and judge the answers."""
    opinions = iter(classify([text for case in cases for text in case.texts]))
    return Report(model_version, [_outcome(case, [next(opinions) for _ in case.texts]) for case in cases])


class Section(NamedTuple):
    """A part of the model card."""

    title: str
    markdown: str


def card_section(report: Report) -> Section:
    """Pass rates by capability and language, and the gaps between groups, as two tables."""
    rates = {(rate.capability, rate.lang, rate.type): rate for rate in report.rates()}
    rows = list(dict.fromkeys((capability, lang) for capability, lang, _ in rates))

    def cell(capability: str, lang: str, kind: str) -> str:
        rate = rates.get((capability, lang, kind))
        return f"{rate.share:.0%} of {rate.cases}" if rate else ""

    lines = [
        "Sentences written for this project and never trained on (`models/behaviour_cases`). MFT: the right label; "
        "INV: the label stays when what must not matter changes; DIR: the negative score moves the right way.",
        "",
        "| capability | lang | MFT | INV | DIR |",
        "|---|---|---|---|---|",
        *(f"| {name} | {lang} | {' | '.join(cell(name, lang, kind) for kind in TYPES)} |" for name, lang in rows),
        "",
        "The same sentences about different groups:",
        "",
        "| swapped | lang | sentences | mean negative score | gap | labels that flip |",
        "|---|---|---|---|---|---|",
        *(
            f"| {gap.capability} | {gap.lang} | {gap.sentences} | "
            f"{', '.join(f'{group} {score:.3f}' for group, score in gap.negative.items())} | "
            f"{gap.gap:.3f} | {gap.flips:.1%} |"
            for gap in report.gaps()
        ),
    ]
    return Section("Behaviour", "\n".join(lines))


def _outcome(case: Case, opinions: Sequence[Opinion]) -> Outcome:
    answers = tuple(_answer(case.head, opinion) for opinion in opinions)
    negative = tuple(opinion.sentiment_scores["negative"] for opinion in opinions)
    return Outcome(case, answers, negative, _is_passed(case, answers, negative))


def _is_passed(case: Case, answers: Sequence[str], negative: Sequence[float]) -> bool:
    if case.type == "MFT":
        return answers[0] in case.expect
    if case.type == "INV":
        return len(set(answers)) == 1
    before, after = negative
    if case.expect == ("rises",):
        return after > before or after > 1 - NO_ROOM
    return after < before or after < NO_ROOM


def _answer(head: Head, opinion: Opinion) -> str:
    return opinion.topic_label if head == "topic" else opinion.sentiment


def _gap(capability: str, lang: str, outcomes: Sequence[Outcome]) -> Gap:
    groups = outcomes[0].case.groups
    means = {
        group: round(sum(one.negative[place] for one in outcomes) / len(outcomes), 4)
        for place, group in enumerate(groups)
    }
    flips = sum(len(set(one.answers)) > 1 for one in outcomes) / len(outcomes)
    gap = max(means.values()) - min(means.values())
    return Gap(capability, lang, len(outcomes), means, round(gap, 4), round(flips, 4))


def _grouped(outcomes: Iterable[Outcome], key: Callable[[Case], Key]) -> Iterator[tuple[Key, list[Outcome]]]:
    """By key, in the order in which the keys first occur."""
    groups: defaultdict[Key, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[key(outcome.case)].append(outcome)
    return iter(groups.items())
