"""`/models`: who is champion, what trains, what the gate and the shadow said, and whether the world moved on."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from storage import (
    drift_checks,
    model_versions,
    shadow_disagreements,
    shadow_runs,
    topic_proposals,
    training_runs,
    worker_models,
)
from storage.training_runs import TrainingRun
from web.database import Reading
from web.rendering import page

RUNS = 10
VERSIONS = 20

router = APIRouter(include_in_schema=False)


@router.get("/models")
def models(request: Request, connection: Reading) -> HTMLResponse:
    """The page; what it shows changes with a run, so htmx takes it anew."""
    runs = training_runs.newest(connection, RUNS)
    shadows = shadow_runs.newest(connection, RUNS)
    in_shadow = {one.training_run for one in shadows if one.is_open and one.training_run is not None}
    return page(
        request,
        "models.html",
        champion=model_versions.champion(connection),
        workers=worker_models.alive(connection),
        runs=[(run, state_of(run, in_shadow)) for run in runs],
        shadow=shadow_disagreements.report(connection, shadows[0]) if shadows else None,
        versions=model_versions.versions(connection)[:VERSIONS],
        drift=[row for row in drift_checks.newest(connection) if row.slice_kind == "all" or row.is_drifted],
        topics=topic_proposals.newest(connection),
    )


def state_of(run: TrainingRun, in_shadow: set[int]) -> str:
    """Where a run stands, as the key of its name."""
    if run.finished_at is None:
        return "training"
    if run.candidate is None:
        return "failed"
    if run.id in in_shadow:
        return "shadow"
    return "promoted" if run.is_promoted else "refused"
