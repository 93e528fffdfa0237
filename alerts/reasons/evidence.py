"""What an incident was based on, frozen when it is told: figures, what explains them, and documents that show it.

Every figure follows from things that are kept: what the rule counts and how severe it may be, what the detector knew
(`alerts.detection.judgement`), and the counts and documents in SQL; `alerts.reasons.verifying` works it all out
again. Figures are of independent voices, as they were judged; `raw` says what there is with every copy.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from alerts.detection import severity
from alerts.detection.intervals import COVERAGE, predictive_interval
from alerts.detection.judgement import Judgement
from alerts.detection.lifecycle import Episode
from alerts.detection.rules import Rule
from alerts.reasons import terms
from alerts.reasons.chart_series import chart_series, stretch
from alerts.reasons.explaining import Excess, Explanation, explain, without_drivers
from alerts.reasons.representatives import Candidate, Reason, choose
from alerts.rendering.excerpts import excerpt
from core.records import Severity
from storage import excess_counts, incidents
from storage.excess_counts import Scope
from storage.excess_documents import CountedDocument, ExampleDocument, examples

SAME_TEXT_CHARS: Final = 60  # texts that begin alike, letters and digits only, say no more than one: "支持" by many


def freeze(
    connection: Connection,
    incident_id: int,
    rule: Rule,
    labels: dict[str, str],
    episode: Episode,
    judgement: Judgement | None,
    *,
    instead: Mapping[str, Any] | None = None,
) -> None:
    """Keep the evidence of an episode of one of the rule's series as it stands.

    Args:
        instead: what explains an episode that is not one of voices (`alerts.reasons.campaign_watch`).
    """
    scope = Scope(rule.scope(labels), rule.counted)
    if instead is None:
        kept_within = (rule.severity_at_least, rule.severity_at_most)
        body = gather(connection, scope, episode, judgement, kept_within=kept_within)
    else:
        body = _figures(connection, scope, episode) | {"drivers": {}, "documents": []} | dict(instead)
    incidents.freeze_evidence(connection, incident_id, body, msgspec.to_builtins(judgement))


def gather(
    connection: Connection,
    scope: Scope,
    episode: Episode,
    judgement: Judgement | None,
    *,
    kept_within: tuple[Severity, Severity] = ("info", "critical"),
) -> dict[str, Any]:
    """The evidence body, as JSON values.

    `observed`, `expected`, `documents_in_window` and the shares are those the detector judged at its highest score;
    drivers, documents and `raw` are read from SQL now.

    Args:
        judgement: what that was judged from; None: interval, series and counterfactual are left out.
        kept_within: the least and the most that the rule calls an incident.
    """
    start, end = _window(episode)
    explained = explain(connection, Excess(scope, start, end, round(episode.observed), round(episode.expected, 2)))
    return {
        **_figures(connection, scope, episode),
        "severity": severity.explained(episode.observed, episode.expected, *kept_within),
        **(_of_judgement(connection, scope, judgement, episode, explained) if judgement else {}),
        "comparison": explained.comparison,
        "drivers": explained.drivers,
        "drivers_other": explained.other,
        "documents": _representatives(connection, explained),
    }


def _window(episode: Episode) -> tuple[datetime, datetime]:
    return episode.window_ends_at - timedelta(seconds=episode.window_seconds), episode.window_ends_at


def _figures(connection: Connection, scope: Scope, episode: Episode) -> dict[str, Any]:
    start, end = _window(episode)
    raw = excess_counts.whole(connection, scope, start, end)
    return {
        "counted": scope.counted,
        "scope": {name: list(values) for name, values in scope.where.items()},
        "raw": {"negative": raw.negative, "total": raw.total},
        "since": episode.starts_at.isoformat(),
        "window_starts_at": start.isoformat(),
        "window_ends_at": end.isoformat(),
        "observed": episode.observed,
        "expected": round(episode.expected, 2),
        "documents_in_window": episode.documents,
        "share": round(episode.observed / episode.documents, 4) if episode.documents else None,
        "usual_share": round(episode.expected_share, 4),
        "score": round(episode.score, 2),
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
        for one in explained.voices
    ]
    chosen = choose(candidates, explained.weights)
    shown = examples(connection, [(candidate.published_at, candidate.id) for candidate, _ in chosen])
    of_id = {candidate.id: (candidate.score, reason) for candidate, reason in chosen}
    return [_example(one, *of_id[one.id]) for one in shown]


def _features(document: CountedDocument, explained: Explanation) -> list[tuple[Reason, str]]:
    words = terms.words_of(document.text) if explained.words else frozenset()
    found: list[tuple[Reason, str]] = [("term", word) for word in explained.words if word in words][:1]
    return [*found, ("topic", document.topic), ("source", document.source)]


def _beginning(document: CountedDocument) -> str:
    return "".join(c for c in document.text.casefold() if c.isalnum())[:SAME_TEXT_CHARS]


def _example(document: ExampleDocument, score: float, stands_for: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": document.id,
        "published_at": document.published_at.isoformat(),
        "source": document.source,
        "url": document.url,
        "title": excerpt(document.title) if document.title else None,
        "text": excerpt(document.text),
        "score_negative": round(score, 4),
        "carriers": document.carriers,
        "stands_for": dict(stands_for),
    }
