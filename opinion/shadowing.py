"""What happens between an accepted candidate and its promotion: into shadow, and out of it with a reason.

An open shadow run is `scoring`, then `waiting` if a person has to decide; it ends promoted, rejected or expired.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine

from core.errors import NotFoundError, UsageError
from core.logs import get_logger
from core.settings import Settings, ShadowSettings
from core.windows import MINUTE
from opinion import shadow_bounds
from opinion.promotions import first_champion, known_version
from opinion.shadow_comparison import Comparison, figures_of, overlap_of
from storage import bucket_counts, model_switches, model_versions, shadow_runs, training_runs
from storage.shadow_runs import ShadowRun, State
from storage.shadow_verdicts import Pair

SPARE: float = 0.8  # of what may be read in a minute is planned with, so that a busier hour does not pile up
RATE_SPAN = timedelta(hours=1)
OVERLAP_DOCUMENTS = 200  # with fewer, the sample that `opinion.model_overlap` takes is the better one

log = get_logger(__name__)


def enter(
    connection: Connection,
    candidate: str,
    champion: str,
    *,
    training_run: int | None,
    settings: ShadowSettings,
    lateness: timedelta,
    now: datetime,
) -> int:
    """Put a registered candidate into shadow, in the caller's transaction. Returns the run's id."""
    run, before = shadow_runs.open_run(
        connection, candidate=candidate, champion=champion, training_run=training_run, now=now
    )
    place(connection, run, champion, settings=settings, lateness=lateness, now=now)
    if before is not None:
        log.info("shadow_closed", run=before.id, candidate=before.candidate, state="expired", replaced_by=candidate)
    log.info("shadow_opened", run=run, candidate=candidate, champion=champion)
    return run


def start(connection: Connection, name: str, settings: Settings, *, now: datetime) -> str:
    """Put a model into shadow that no retrain run has made. Returns its version.

    Args:
        name: a registered version, or the folder of a checkpoint, which is registered.

    Raises:
        NotFoundError: no such version or folder.
        CheckpointError: the folder holds no checkpoint of ours.
        UsageError: it is the champion, or there are no shadows.
    """
    if not settings.shadow.documents:
        raise UsageError("OPINION_SHADOW__DOCUMENTS is 0: nothing would be read", remedy="set it to 2000")
    champion = first_champion(connection, settings.models.checkpoint)
    version = known_version(connection, name)
    if version == champion.version:
        raise UsageError(f"{version} is the champion", remedy="opinion models list")
    enter(
        connection,
        version,
        champion.version,
        training_run=None,
        settings=settings.shadow,
        lateness=settings.detect.lateness,
        now=now,
    )
    return version


def place(
    connection: Connection, run: int, champion: str, *, settings: ShadowSettings, lateness: timedelta, now: datetime
) -> None:
    """Say which documents are read, by the clock of the documents; nothing while none is stored."""
    live_from = horizon(connection, now=now, lateness=lateness)
    if live_from is None:
        return
    window_from = shadow_runs.window_start(
        connection,
        champion,
        since=live_from - settings.window,
        until=live_from,
        most=settings.window_documents,
    )
    hour = shadow_runs.documents_between(connection, champion, live_from - RATE_SPAN, live_from)
    rate = hour / (RATE_SPAN / MINUTE)
    share = min(settings.share, SPARE * settings.per_minute / rate) if rate else settings.share
    shadow_runs.place(connection, run, window_from=window_from or live_from, live_from=live_from, share=share)


def horizon(connection: Connection, *, now: datetime, lateness: timedelta) -> datetime | None:
    """Up to when documents have arrived, by their own times; None without any.

    Args:
        lateness: how long a minute is waited for; what comes later is not read.
    """
    newest = bucket_counts.newest_minutes(connection, not_after=now)
    return max(newest.values()) + MINUTE - lateness if newest else None


def is_over(run: ShadowRun, settings: ShadowSettings, now: datetime) -> bool:
    """Whether enough was read, or time is up."""
    return run.live_scored >= settings.documents or now >= run.started_at + timedelta(hours=settings.hours)


def close_if_overtaken(connection: Connection, *, now: datetime) -> ShadowRun | None:
    """End the open run if the champion is another one than it was held against.

    Returns:
        The run that is open still.
    """
    run = shadow_runs.current(connection)
    if run is None:
        return None
    champion = model_versions.champion(connection)
    if champion is None or champion.version == run.champion:
        return run
    shadow_runs.lock(connection)
    state: State = "expired"
    reason = f"the champion is {champion.version} now, not {run.champion}: {champion.reason} ({champion.promoted_by})"
    if champion.version == run.candidate:
        state, reason = "promoted", f"{champion.promoted_by}: {champion.reason}"
        _mark_training(connection, run)
    shadow_runs.close(connection, run.id, state, reasons=[reason], by=champion.promoted_by, now=now)
    log.info("shadow_closed", run=run.id, candidate=run.candidate, state=state, reasons=[reason])
    return None


def keep(connection: Connection, run: ShadowRun, comparison: Comparison, pairs: list[Pair]) -> None:
    """What was found so far: for people, and for the detector whoever promotes the candidate."""
    shadow_runs.keep_figures(connection, run.id, figures_of(comparison))
    if len(pairs) >= OVERLAP_DOCUMENTS:
        model_switches.save_overlap(connection, run.champion, run.candidate, overlap_of(pairs))


def decide(
    engine: Engine, run_id: int, comparison: Comparison, pairs: list[Pair], settings: ShadowSettings, now: datetime
) -> State | None:
    """End the reading: promote, or leave it to a person, and say why.

    Returns:
        The state that the run has come to; None where somebody has ended it meanwhile.
    """
    with engine.begin() as connection:
        shadow_runs.lock(connection)
        model_versions.lock_promotions(connection)
        run = close_if_overtaken(connection, now=now)
        if run is None or run.id != run_id or run.state != "scoring":
            return None
        keep(connection, run, comparison, pairs)
        bounded = shadow_bounds.judge(comparison, settings)
        reasons = bounded.reasons
        if comparison.documents < settings.fewest_documents:
            reasons = [_too_few(run, comparison, settings), *reasons]
        elif bounded.is_kept and settings.promote == "manual":
            reasons = ["no bound was broken; promotion is left to a person (OPINION_SHADOW__PROMOTE)", *reasons]
        elif bounded.is_kept:
            model_versions.promote(
                connection, run.candidate, reason=f"shadow run {run.id}: {reasons[0]}", by="shadow"
            )
            _mark_training(connection, run)
            shadow_runs.close(connection, run.id, "promoted", reasons=reasons, by="shadow", now=now)
            log.info("shadow_closed", run=run.id, candidate=run.candidate, state="promoted", reasons=reasons)
            return "promoted"
        shadow_runs.wait(connection, run.id, reasons=reasons)
        log.warning("shadow_waits", run=run.id, candidate=run.candidate, reasons=reasons)
        return "waiting"


def reject(engine: Engine, version: str, *, reason: str, by: str, now: datetime) -> ShadowRun:
    """End the shadow of this candidate, for good.

    Raises:
        NotFoundError: it is not in shadow.
    """
    with engine.begin() as connection:
        shadow_runs.lock(connection)
        run = close_if_overtaken(connection, now=now)
        if run is None or run.candidate != version:
            what = f"in shadow is {run.candidate}" if run is not None else "nothing is"
            raise NotFoundError(f"{version} is not in shadow: {what}", remedy="opinion models shadow")
        shadow_runs.close(connection, run.id, "rejected", reasons=[reason], by=by, now=now)
    log.info("shadow_closed", run=run.id, candidate=version, state="rejected", reasons=[reason])
    return run


def _too_few(run: ShadowRun, comparison: Comparison, settings: ShadowSettings) -> str:
    return (
        f"only {comparison.documents} documents that {run.champion} has judged could be read in {settings.hours:g} "
        f"hours, {settings.fewest_documents} are needed: a person has to decide"
    )


def _mark_training(connection: Connection, run: ShadowRun) -> None:
    if run.training_run is not None:
        training_runs.mark_promoted(connection, run.training_run)
