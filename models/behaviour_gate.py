"""Whether a candidate behaves worse than the champion: a decision over two reports on the same cases."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Final

from models.behaviour import Outcome, Report

MOST_FALL: Final = 0.10  # of a capability's pass rate; two trainings from the same data differ by less
ERROR_RATE: Final = 0.05  # how often a candidate that behaves as well may be refused, over all capabilities together
COMPETENT: Final = 0.5  # see `is_competent`


@dataclass(frozen=True)
class BehaviourChange:
    """One capability in one language under both models.

    Attributes:
        champion, candidate: passed cases, of `cases`.
        lost, gained: templates of which the candidate passes fewer cases, or more.
        is_judged: the champion knows this language well enough to have something to lose.
    """

    capability: str
    lang: str
    cases: int
    champion: int
    candidate: int
    lost: int
    gained: int
    is_judged: bool

    @property
    def fall(self) -> float:
        """Of the pass rate; negative where it rose."""
        return (self.champion - self.candidate) / self.cases

    @property
    def chance(self) -> float:
        """How likely so many losses are among the templates that changed, if the candidate behaves as well.

        A one-sided sign test. Templates are its units, because the cases of one stand and fall together.
        """
        changed = self.lost + self.gained
        return float(sum(comb(changed, losses) for losses in range(self.lost, changed + 1)) / 2**changed)


def compare(champion: Report, candidate: Report) -> list[BehaviourChange]:
    """Both models on the same cases, capability by capability.

    Raises:
        ValueError: the reports are on different cases.
    """
    if [one.case for one in champion.outcomes] != [one.case for one in candidate.outcomes]:
        raise ValueError("the two reports are on different behaviour cases")
    competent = {lang: is_competent(champion, lang) for lang in {one.case.lang for one in champion.outcomes}}
    pairs: defaultdict[tuple[str, str], list[tuple[Outcome, Outcome]]] = defaultdict(list)
    for before, after in zip(champion.outcomes, candidate.outcomes, strict=True):
        pairs[before.case.capability, before.case.lang].append((before, after))
    return [_change(capability, lang, both, competent[lang]) for (capability, lang), both in pairs.items()]


def is_competent(report: Report, lang: str) -> bool:
    """Whether a model is right on half of the texts that must be negative, and on half of those that must not.

    Without this, a model that gives every text the same answer passes every invariance test, and whatever learns
    something would be refused for failing some of them.
    """
    kinds: dict[bool, list[bool]] = {True: [], False: []}
    for one in report.outcomes:
        if one.case.type == "MFT" and one.case.lang == lang:
            kinds["negative" in one.case.expect].append(one.is_passed)
    return all(passed and sum(passed) >= COMPETENT * len(passed) for passed in kinds.values())


def judge_behaviour(changes: Sequence[BehaviourChange]) -> tuple[bool, list[str]]:
    """No judged capability falls by more than `MOST_FALL`, unless that may be chance.

    Returns:
        Whether the candidate passes, and the reasons in words: one for each fall, or that there is none, and one for
        each language that was not judged.
    """
    judged = [change for change in changes if change.is_judged]
    most_chance = _most_chance(judged)
    falls = fallen_capabilities(changes)
    reasons = [
        f"refused: behaviour, {change.capability} ({change.lang}): {change.candidate} of {change.cases} cases, "
        f"champion {change.champion}; worse on {change.lost} templates, better on {change.gained} "
        f"(by chance: {change.chance:.2g}, refused below {most_chance:.2g})"
        for change in falls
    ]
    if judged and not falls:
        cases, before, after = (
            sum(getattr(one, name) for one in judged) for name in ("cases", "champion", "candidate")
        )
        reasons.append(f"passed: behaviour ({cases} cases): {after} passed, champion {before}, no capability fell")
    for lang in sorted({change.lang for change in changes if not change.is_judged}):
        reasons.append(f"behaviour in {lang} was not judged: the champion itself fails the basics")
    return not falls, reasons


def fallen_capabilities(changes: Sequence[BehaviourChange]) -> list[BehaviourChange]:
    """Those that speak against the candidate."""
    judged = [change for change in changes if change.is_judged]
    return [change for change in judged if change.fall > MOST_FALL and change.chance < _most_chance(judged)]


def _most_chance(judged: Sequence[BehaviourChange]) -> float:
    return ERROR_RATE / max(len(judged), 1)  # Bonferroni: so many looks at the same candidate


def _change(capability: str, lang: str, both: list[tuple[Outcome, Outcome]], is_judged: bool) -> BehaviourChange:
    by_template: defaultdict[str, int] = defaultdict(int)
    for before, after in both:
        by_template[before.case.template] += after.is_passed - before.is_passed
    return BehaviourChange(
        capability=capability,
        lang=lang,
        cases=len(both),
        champion=sum(before.is_passed for before, _ in both),
        candidate=sum(after.is_passed for _, after in both),
        lost=sum(change < 0 for change in by_template.values()),
        gained=sum(change > 0 for change in by_template.values()),
        is_judged=is_judged,
    )
