"""Whether what a candidate changes stays within the configured bounds, each with its reason in words. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from core.settings import ShadowSettings
from opinion.shadow_comparison import Comparison, Incidents

BY_CHANCE: Final = 0.01  # a change of negatives that is no less likely than this is no change
MOST_NAMED: Final = 3
NOT_SHOWN: Final = ("alertname", "rule")


@dataclass(frozen=True)
class Bounded:
    """One sentence for each thing that was looked at."""

    is_kept: bool
    reasons: list[str]


def judge(comparison: Comparison, settings: ShadowSettings) -> Bounded:
    """Hold every bound; those broken come first."""
    checks = [_negatives(comparison, settings), _failures(comparison, settings)]
    notes = comparison.notes
    if comparison.slower is None:
        notes = ["the candidate's speed was not compared", *notes]
    else:
        slower = comparison.slower
        what = f"the candidate takes {slower:.2f} times the champion's time, may take {settings.slower:g} times"
        checks.append((slower <= settings.slower, what))
    if comparison.incidents is not None:
        checks += _incidents(comparison.incidents, settings)
    said = [(f"{'passed' if is_kept else 'held back'}: {what}", is_kept) for is_kept, what in checks]
    broken = [reason for reason, is_kept in said if not is_kept]
    return Bounded(not broken, broken + [reason for reason, is_kept in said if is_kept] + notes)


def _negatives(comparison: Comparison, settings: ShadowSettings) -> tuple[bool, str]:
    change = comparison.negative_change
    became, ceased = comparison.became_negative, comparison.no_longer_negative
    is_kept = abs(change) <= settings.negative_change or not _is_shift(became, ceased)
    return is_kept, (
        f"{comparison.negative_new} negatives where the champion finds {comparison.negative_old} in "
        f"{comparison.documents} documents ({change:+.1%}), may change by {settings.negative_change:.0%}; "
        f"{became} texts became negative, {ceased} no longer are"
    )


def _is_shift(became: int, ceased: int) -> bool:
    """Whether changes this one-sided are more than chance (McNemar's exact test)."""
    from scipy.stats import binomtest

    return became + ceased > 0 and binomtest(became, became + ceased).pvalue < BY_CHANCE


def _failures(comparison: Comparison, settings: ShadowSettings) -> tuple[bool, str]:
    failures = comparison.failures
    return (
        failures <= settings.failures,
        f"the candidate failed on {failures} documents, may fail on {settings.failures}",
    )


def _incidents(incidents: Incidents, settings: ShadowSettings) -> list[tuple[bool, str]]:
    span = f"between {incidents.start:%m-%d %H:%M} and {incidents.end:%m-%d %H:%M} UTC"
    return [
        (
            found <= most,
            f"{found} incidents {change} {span}, may be {most}{_named(incidents, change)}",
        )
        for change, found, most in (
            ("gained", incidents.gained, settings.incidents_gained),
            ("lost", incidents.lost, settings.incidents_lost),
        )
    ]


def _named(incidents: Incidents, change: str) -> str:
    of_change = [one for one in incidents.changed if one.change == change]
    names = [f"{one.rule} ({_labels(one.labels)})" for one in of_change[:MOST_NAMED]]
    return ": " + ", ".join(names) + (" and others" if len(of_change) > MOST_NAMED else "") if names else ""


def _labels(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in labels.items() if name not in NOT_SHOWN) or "all"
