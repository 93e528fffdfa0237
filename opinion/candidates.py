"""A candidate that a retrain run has made: where it comes from is written down, and other machines can get it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from core.code_version import code_version
from core.errors import OpinionError
from core.logs import get_logger
from models.lineage import Lineage
from models.model_store import ModelStore
from models.registry import ModelFolders
from storage import model_versions, training_runs

log = get_logger(__name__)


@dataclass(frozen=True)
class Provenance:
    """What `storage.model_versions.register` keeps of how a candidate was made."""

    snapshot_hash: str | None
    code_version: str
    training_run: int
    options: dict[str, Any]
    content_sha256: str


def seal_candidate(
    engine: Engine,
    home: Path,
    version: str,
    *,
    run: int,
    options: Mapping[str, Any],
    metrics: Mapping[str, Any],
) -> Provenance:
    """Write lineage and manifest into the candidate's folder; nothing in it changes from here on.

    Raises:
        NotFoundError: the folder is gone.
        CheckpointError: what would be loaded is not what the training left.
    """
    with engine.connect() as connection:
        trained = training_runs.get(connection, run)
    snapshot_hash = trained.snapshot_hash if trained else None
    lineage = Lineage(
        snapshot_hash=snapshot_hash,
        code_version=code_version(),
        training_run=run,
        options=dict(options),
        metrics=dict(metrics),
    )
    manifest = ModelFolders(home.resolve()).seal(version, lineage)
    return Provenance(snapshot_hash, code_version(), run, dict(options), manifest.content_sha256)


def push_missing(engine: Engine, store: ModelStore) -> list[str]:
    """Bring what the store lacks and this machine has there: after a training, and again by the scheduler while the
    store does not answer. Returns what was brought.

    A version that cannot be pushed keeps none of the others back; why is logged.
    """
    pushed = []
    with engine.connect() as connection:
        known = model_versions.versions(connection)
    for row in known:
        if row.stored_at is not None or row.files_gone_at is not None or not store.keeps(row.path):
            continue
        try:
            store.push(row.version)
        except OpinionError as error:
            log.warning("model_not_pushed", version=row.version, reason=error.message)
            continue
        with engine.begin() as connection:
            model_versions.set_stored(connection, row.version)
        pushed.append(row.version)
    return pushed
