"""When drift asks for labels, and when for a new model. Pure.

One check may be wrong by chance, so all of `AGREE_FOR` have to agree on a measure, and at least two. Drift without
labels of what is new cannot be learned from, so it asks for labels first; and after a run the loop rests, so that it
does not chase its own tail.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from models.drift_figures import ABOUT

AGREE_FOR: Final = timedelta(hours=6)  # two checks at once see the same documents, and agree on nothing
STALE_AFTER: Final = timedelta(days=3)  # an older check says nothing of now


@dataclass(frozen=True)
class PastCheck:
    """One check of the champion: which measures drifted over all documents, and from when its window is."""

    checked_at: datetime
    current_from: datetime
    drifted: frozenset[str]


@dataclass(frozen=True)
class Confirmed:
    """Drift that the newest checks agree on; `since` is the beginning of the window that first showed it."""

    measures: tuple[str, ...]
    since: datetime


@dataclass(frozen=True)
class TriggerOptions:
    """How eager the loop is.

    Attributes:
        min_labels: of texts labelled since the drift began and not yet learned from.
        cool_down: between the beginnings of two runs.
    """

    min_labels: int = 100
    cool_down: timedelta = timedelta(days=3)


def confirmed(checks: Sequence[PastCheck], now: datetime) -> Confirmed | None:
    """The drift that the newest checks agree on.

    Args:
        checks: of the present champion only, the newest first.
    """
    if not checks or now - checks[0].checked_at > STALE_AFTER:
        return None
    early = next((n for n, one in enumerate(checks) if checks[0].checked_at - one.checked_at >= AGREE_FOR), None)
    if early is None:
        return None
    agreed = frozenset.intersection(*(one.drifted for one in checks[: early + 1]))
    if not agreed:
        return None
    since = checks[early].current_from
    for one in checks[early + 1 :]:
        if not one.drifted:
            break
        since = one.current_from
    return Confirmed(tuple(sorted(agreed)), since)


def retrain_reason(
    drift: Confirmed | None, new_labels: int, last_run_at: datetime | None, now: datetime, options: TriggerOptions
) -> str | None:
    """Why a run should begin now; None when it should not.

    Args:
        new_labels: recorded since `drift.since` and after what the last run learned from.
        last_run_at: when the last run began, however it ended.
    """
    if drift is None or new_labels < options.min_labels:
        return None
    if last_run_at is not None and now - last_run_at < options.cool_down:
        return None
    return f"drift of {described(drift)}; {new_labels} labels since"


def labels_reason(drift: Confirmed | None, new_labels: int, options: TriggerOptions) -> str | None:
    """Why people should label now; None when drift does not wait for labels."""
    if drift is None or new_labels >= options.min_labels:
        return None
    return f"drift of {described(drift)}: {options.min_labels - new_labels} more labels of new texts are needed"


def described(drift: Confirmed) -> str:
    """The measures, for people."""
    return ", ".join(about for measure, (about, _) in ABOUT.items() if measure in drift.measures)
