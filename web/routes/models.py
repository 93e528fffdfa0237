"""`/models`: who is champion, what trains, what the gate and the shadow said, and whether the world moved on."""

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response

from core.errors import OpinionError
from core.watchlist_entries import speakable
from storage import (
    drift_checks,
    model_periods,
    model_versions,
    shadow_disagreements,
    shadow_runs,
    topic_proposals,
    training_runs,
    worker_models,
)
from storage.model_versions import ModelVersion
from storage.training_runs import TrainingRun
from web.curves import Curve, curves_of
from web.database import Reading
from web.forms import Form
from web.i18n import language_of
from web.markdown import html_of
from web.model_care import ModelCare
from web.problems import Problem, ProblemError, problem_of
from web.rendering import page
from web.roles import Admin

RUNS = 10
VERSIONS = 20
MOST_REASON_CHARS = 500
PICTURE_TYPES = {"svg": "image/svg+xml", "png": "image/png"}
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"
"""The gate's report brings its own style sheet and pictures; scripts run nowhere in it."""

Version = Annotated[str, Path(max_length=200, pattern=r"^[\w.:@/+-]+$")]
Note = Literal["promoted", "rolled_back", "rejected"]

router = APIRouter(include_in_schema=False)


@router.get("/models")
def models(request: Request, connection: Reading, note: Annotated[Note | None, Query()] = None) -> HTMLResponse:
    """The page; what it shows changes with a run, so htmx takes it anew."""
    runs = training_runs.newest(connection, RUNS)
    shadows = shadow_runs.newest(connection, RUNS)
    in_shadow = {one.training_run for one in shadows if one.is_open and one.training_run is not None}
    champion = model_versions.champion(connection)
    return page(
        request,
        "models.html",
        note=note,
        is_cared_for=care_of(request) is not None,
        champion=champion,
        previous=model_versions.previous_champion(connection),
        workers=worker_models.alive(connection),
        runs=[(run, state_of(run, in_shadow)) for run in runs],
        shadow=shadow_disagreements.report(connection, shadows[0]) if shadows else None,
        versions=model_versions.versions(connection)[:VERSIONS],
        drift=[row for row in drift_checks.newest(connection) if row.slice_kind == "all" or row.is_drifted],
        curves=_drift_curves(drift_checks.of_everything(connection, champion.version)) if champion else [],
        topics=topic_proposals.newest(connection),
    )


@router.get("/models/versions/{version:path}/pictures/{name}")
def picture(request: Request, version: Version, name: str) -> Response:
    """A picture of a model's card."""
    care = care_of(request)
    content = care.picture(version, name) if care else None
    if content is None:
        raise HTTPException(404)
    return Response(content, media_type=PICTURE_TYPES[name.rpartition(".")[2]])


@router.get("/models/versions/{version:path}/report")
def report(request: Request, version: Version) -> Response:
    """Why the gate accepted or refused it: checks, intervals, slices, changed answers."""
    care = care_of(request)
    written = care.report(version, language_of(request)) if care else None
    if written is None:
        raise ProblemError(Problem(404, "no_report", version))
    return HTMLResponse(written, headers={"Content-Security-Policy": REPORT_POLICY})


@router.get("/models/versions/{version:path}")
def model(request: Request, connection: Reading, version: Version) -> HTMLResponse:
    """One version: how it came to be, when it was champion, what it can do, and its card."""
    known = model_versions.find(connection, version)
    care = care_of(request)
    card = care.card(version) if care and known.files_gone_at is None else None
    champion = model_versions.champion(connection)
    return page(
        request,
        "model.html",
        one=known,
        held_out=held_out(known),
        ancestry=model_versions.ancestry(connection, version)[1:],
        periods=model_periods.periods_of(connection, version),
        is_champion=champion is not None and champion.version == version,
        is_cared_for=care is not None,
        card=html_of(card.markdown, f"/models/versions/{version}/pictures/", card.pictures) if card else None,
    )


@router.post("/models/promote")
def promote(request: Request, person: Admin, form: Form) -> RedirectResponse:
    """Make a version champion; workers swap between two batches."""
    version, reason = form.get("version", ""), reason_in(form)
    return _done(request, "promoted", lambda care: care.promote(version, reason=reason, by=person.name))


@router.post("/models/rollback")
def rollback(request: Request, person: Admin) -> RedirectResponse:
    """Go back to the champion before this one."""
    return _done(request, "rolled_back", lambda care: care.rollback(by=person.name))


@router.post("/models/reject")
def reject(request: Request, person: Admin, form: Form) -> RedirectResponse:
    """Refuse the candidate that is in shadow."""
    version, reason = form.get("version", ""), reason_in(form)
    return _done(request, "rejected", lambda care: care.reject(version, reason=reason, by=person.name))


def care_of(request: Request) -> ModelCare | None:
    """The registry; None for a console that only reads SQL."""
    care: ModelCare | None = request.app.state.model_care
    return care


def reason_in(form: dict[str, str]) -> str:
    """Why somebody does it.

    Raises:
        ProblemError: nothing is said, too much, or something that a terminal would obey.
    """
    reason = form.get("reason", "").strip()
    try:
        if not 0 < len(speakable(reason)) <= MOST_REASON_CHARS:
            raise ValueError(f"1 to {MOST_REASON_CHARS} characters")
    except ValueError as error:
        raise ProblemError(Problem(422, "bad_query", f"reason: {error}")) from None
    return reason


def held_out(version: ModelVersion) -> dict[str, float]:
    """By head, the macro-F1 on the gold set."""
    figures: dict[str, float] = version.metrics.get("held_out", {}).get("candidate", {})
    return figures


def state_of(run: TrainingRun, in_shadow: set[int]) -> str:
    """Where a run stands, as the key of its name."""
    if run.finished_at is None:
        return "training"
    if run.candidate is None:
        return "failed"
    if run.id in in_shadow:
        return "shadow"
    return "promoted" if run.is_promoted else "refused"


def _drift_curves(rows: list[drift_checks.DriftRow]) -> list[Curve]:
    return curves_of([(row.measure, row.checked_at, row.effect, row.threshold) for row in reversed(rows)])


def _done(request: Request, note: Note, act: Callable[[ModelCare], object]) -> RedirectResponse:
    care = care_of(request)
    if care is None:
        raise ProblemError(Problem(503, "no_registry"))
    try:
        act(care)
    except OpinionError as error:
        raise ProblemError(problem_of(error)) from error
    return RedirectResponse(f"/models?note={note}", status_code=303)
