"""Which models something still needs: rows of jobs that are at work, by the version names in them."""

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
        named = text(
            f"SELECT DISTINCT v.version FROM {table} r, jsonb_each_text(to_jsonb(r)) AS field "  # noqa: S608  # ours
            f"JOIN model_version v ON v.version = field.value WHERE {is_open}"
        )
        for version in connection.scalars(named):
            found.setdefault(version, reason)
    return found
