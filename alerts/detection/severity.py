"""How bad a surge is: two figures against fixed limits, and the words that say so. Pure."""

from typing import Any, Final

from core.records import Severity

LIMITS: Final[dict[Severity, tuple[float, float]]] = {"critical": (50.0, 5.0), "warning": (15.0, 3.0)}
"""Worst first: at least so many more negatives than expected, and at least so many times as many; else info."""

ORDER: Final[tuple[Severity, ...]] = ("info", "warning", "critical")

LEAST_EXPECTED: Final = 0.1  # the ratio's denominator is never less
FORMULA: Final = (
    "excess = observed - expected; ratio = observed / max(expected, 0.1); the first of critical, warning whose "
    "limits both are reached, else info; but not less than at_least and not more than at_most, as the rule says"
)


def severity(observed: float, expected: float) -> Severity:
    """critical: 50 more negatives than expected and 5 times as many; warning: 15 more and 3 times; else info."""
    excess, ratio = _excess_and_ratio(observed, expected)
    for name, (least_excess, least_ratio) in LIMITS.items():
        if excess >= least_excess and ratio >= least_ratio:
            return name
    return "info"


def kept_within(found: Severity, at_least: Severity, at_most: Severity) -> Severity:
    """What an incident is called by a rule that names a least and a most."""
    return ORDER[min(max(ORDER.index(found), ORDER.index(at_least)), ORDER.index(at_most))]


def explained(
    observed: float, expected: float, at_least: Severity = "info", at_most: Severity = "critical"
) -> dict[str, Any]:
    """The severity with its formula, limits and inputs, as JSON values."""
    excess, ratio = _excess_and_ratio(observed, expected)
    return {
        "name": kept_within(severity(observed, expected), at_least, at_most),
        "formula": FORMULA,
        "limits": {name: {"excess": least, "ratio": times} for name, (least, times) in LIMITS.items()},
        "at_least": at_least,
        "at_most": at_most,
        "observed": observed,
        "expected": round(expected, 2),
        "excess": round(excess, 2),
        "ratio": round(ratio, 2),
    }


def _excess_and_ratio(observed: float, expected: float) -> tuple[float, float]:
    return observed - expected, observed / max(expected, LEAST_EXPECTED)
