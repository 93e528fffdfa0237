"""What an incident was based on, frozen when it is told: figures, what explains them, and documents that show it.

Every figure follows from three things that are kept: the incident's labels, what the detector knew
(`alerts.judgement`), and the counts and documents in SQL; `alerts.verifying` works it all out again.
"""

from datetime import timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from alerts import severity, terms
from alerts.chart_series import chart_series, stretch
from alerts.excerpts import excerpt
from alerts.explaining import Excess, Explanation, explain, without_drivers
from alerts.intervals import COVERAGE, predictive_interval
from alerts.judgement import Judgement
from alerts.lifecycle import Episode
from alerts.representatives import Candidate, Reason, choose
from storage import excess_counts, incidents
from storage.excess_counts import Scope
from storage.excess_documents import ExampleDocument, Negative, examples

SAME_TEXT_CHARS: Final = 60  # texts that begin alike, letters and digits only, say no more than one: "支持" by many

__all__ = ["excerpt", "freeze", "gather"]


def freeze(
    connection: Connection, incident_id: int, labels: dict[str, str], episode: Episode, judgement: Judgement | None
) -> None:
    """Keep the evidence of an episode as it stands."""
    body = gather(connection, labels, episode, judgement)
    incidents.freeze_evidence(connection, incident_id, body, msgspec.to_builtins(judgement))


def gather(
    connection: Connection, labels: dict[str, str], episode: Episode, judgement: Judgement | None
) -> dict[str, Any]:
    """The evidence body, as JSON values.

    `observed`, `expected`, `documents_in_window` and the shares are those the detector judged at its highest score;
    drivers and documents are read from SQL now.

    Args:
        judgement: what that was judged from; None: interval, series and counterfactual are left out.
    """
    end = episode.window_ends_at
    start = end - timedelta(seconds=episode.window_seconds)
    scope = Scope.of(labels)
    explained = explain(connection, Excess(scope, start, end, round(episode.observed), round(episode.expected, 2)))
    return {
        "since": episode.starts_at.isoformat(),
        "window_starts_at": start.isoformat(),
        "window_ends_at": end.isoformat(),
        "observed": episode.observed,
        "expected": round(episode.expected, 2),
        "documents_in_window": episode.documents,
        "share": round(episode.observed / episode.documents, 4) if episode.documents else None,
        "usual_share": round(episode.expected_share, 4),
        "score": round(episode.score, 2),
        "severity": severity.explained(episode.observed, episode.expected),
        **(_of_judgement(connection, scope, judgement, episode, explained) if judgement else {}),
        "comparison": explained.comparison,
        "drivers": explained.drivers,
        "drivers_other": explained.other,
        "documents": _representatives(connection, explained),
    }


def _of_judgement(
    connection: Connection, scope: Scope, judgement: Judgement, episode: Episode, explained: Explanation
) -> dict[str, Any]:
    verdict = judgement.verdict()
    usual = judgement.baseline(timedelta(seconds=episode.window_seconds))
    lower, upper = predictive_interval(episode.expected, usual.dispersion)
    counts = excess_counts.per_bucket(connection, scope, judgement.options.bucket, *stretch(judgement))
    return {
        "interval": {
            "coverage": COVERAGE,
            "lower": lower,
            "upper": upper,
            "dispersion": round(usual.dispersion, 4),
        },
        "scores": {
            "count": round(verdict.score_count, 2),
            "share": round(verdict.score_share, 2),
            "threshold": verdict.threshold,
        },
        "counterfactual": without_drivers(connection, judgement, scope, explained),
        "series": chart_series(judgement, counts),
    }


def _representatives(connection: Connection, explained: Explanation) -> list[dict[str, Any]]:
    candidates = [
        Candidate(one.id, one.published_at, _beginning(one), _features(one, explained), one.score)
        for one in explained.negatives
    ]
    chosen = choose(candidates, explained.weights)
    shown = examples(connection, [(candidate.published_at, candidate.id) for candidate, _ in chosen])
    reasons = {candidate.id: reason for candidate, reason in chosen}
    for reason in reasons.values():
        if reason["by"] == "cluster":
            reason["name"] = None  # the number says nothing, and a title would be another document's words
    return [{**_example(one), "stands_for": reasons[one.id]} for one in shown]


def _features(document: Negative, explained: Explanation) -> list[tuple[Reason, str]]:
    words = terms.words_of(document.text) if explained.words else frozenset()
    found: list[tuple[Reason, str]] = [("cluster", str(document.cluster))] if document.cluster is not None else []
    found += [("term", word) for word in explained.words if word in words][:1]
    return [*found, ("topic", document.topic), ("source", document.source)]


def _beginning(document: Negative) -> str:
    return "".join(c for c in document.text.casefold() if c.isalnum())[:SAME_TEXT_CHARS]


def _example(document: ExampleDocument) -> dict[str, Any]:
    return {
        "id": document.id,
        "published_at": document.published_at.isoformat(),
        "source": document.source,
        "url": document.url,
        "title": excerpt(document.title) if document.title else None,
        "text": excerpt(document.text),
        "score_negative": round(document.score_negative, 4),
        "carriers": document.carriers,
    }
