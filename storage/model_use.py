"""Which models something still needs: rows of jobs that are at work, by the version names in them.

A table that this schema does not have (yet) needs nothing.
"""

from typing import Final

from sqlalchemy import Connection, text

USERS: Final = {
    "a shadow run reads with it": ("shadow_run", "r.state IN ('scoring', 'waiting')"),
    "documents are judged again by it": ("reclassification", "r.status = 'open'"),
    "a training starts from it": ("training_run", "r.finished_at IS NULL"),
    "a worker runs it": ("worker_model", "r.seen_at > now() - interval '1 hour'"),
}


def in_use(connection: Connection) -> dict[str, str]:
    """Versions that must not go, each with the reason.

    Any column that holds the name of a version counts: to keep a model too long is cheap.
    """
    found: dict[str, str] = {}
    for reason, (table, is_open) in USERS.items():
        if connection.scalar(text("SELECT to_regclass(:name)"), {"name": table}) is None:
            continue
        named = text(
            f"SELECT DISTINCT v.version FROM {table} r, jsonb_each_text(to_jsonb(r)) AS field "  # noqa: S608  # ours
            f"JOIN model_version v ON v.version = field.value WHERE {is_open}"
        )
        for version in connection.scalars(named):
            found.setdefault(version, reason)
    return found


def snapshot_of(connection: Connection, run: int) -> str | None:
    """The hash of the labels that a retrain run learns from; None when the run does not say."""
    statement = text("SELECT to_jsonb(r) ->> 'snapshot_hash' FROM training_run r WHERE id = :run")
    found: str | None = connection.scalar(statement, {"run": run})
    return found


def verdict_runs(connection: Connection) -> set[int]:
    """Retrain runs that are over and brought a candidate: nobody goes on with them."""
    statement = text("SELECT id FROM training_run WHERE finished_at IS NOT NULL AND candidate IS NOT NULL")
    return set(connection.scalars(statement))
