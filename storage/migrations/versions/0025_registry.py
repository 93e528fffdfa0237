"""where each model comes from, where its files are, and when it was live

Goes before the code: what the version before writes leaves the new columns empty.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

MODEL = """
    SELECT v.version, v.parent, v.origin, v.metrics, v.created_at, p.promoted_at, p.promoted_by, p.reason,
           lead(p.promoted_at) OVER (ORDER BY p.id) AS replaced_at{more}
    FROM public.model_version v LEFT JOIN public.model_promotion p USING (version)
"""
MORE = ", v.snapshot_hash, v.code_version, v.training_run, v.options, v.content_sha256, v.stored_at, v.files_gone_at"
MODEL_COLUMNS = {
    "snapshot_hash": "of the labels it learned from; equal snapshots are equal data",
    "code_version": "release of this software that trained it, and its git commit where that is known",
    "training_run": "number of the retrain run",
    "options": "of the training, such as seed and learning rate",
    "content_sha256": "of all files that are loaded; equal ones give equal opinions",
    "stored_at": "since when the registry's store has its files; null if there is no store",
    "files_gone_at": "when its files were removed to make room; null while they are kept",
}
VIEWS = {
    "model_period": (
        """SELECT version, promoted_at AS live_from,
                  lead(promoted_at) OVER (ORDER BY promoted_at, id) AS live_until,
                  promoted_by, reason, announced_at
           FROM public.model_promotion""",
        "Which model was champion when: one row per promotion, without gaps and overlaps from the first on.",
        {
            "version": "see bi.model",
            "live_from": "champion from, this instant included",
            "live_until": "champion until, this instant excluded; null for the present one",
            "promoted_by": "the account, or retrain",
            "reason": "why it was promoted, or what it was rolled back from",
            "announced_at": "when the broker had the announcement; workers switch within seconds of it",
        },
    ),
    "model_seen": (
        """SELECT model_version AS version, min(bucket_at) AS first_minute, max(bucket_at) AS last_minute,
                  sum(total)::bigint AS documents
           FROM public.opinion_minute WHERE total > 0 GROUP BY model_version""",
        "Which models the counts really come from: what workers ran, whatever was announced.",
        {
            "version": "see bi.model",
            "first_minute": "first minute of published_at that it judged documents of, UTC",
            "last_minute": "last such minute",
            "documents": "how many documents have its verdict",
        },
    ),
}


def columns():
    """Made anew for each run: a column belongs to one table."""
    return (
        sa.Column("snapshot_hash", sa.Text()),
        sa.Column("code_version", sa.Text()),
        sa.Column("training_run", sa.BigInteger()),
        sa.Column("options", JSONB(), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("content_sha256", sa.Text()),
        sa.Column("stored_at", sa.DateTime(timezone=True)),
        sa.Column("files_gone_at", sa.DateTime(timezone=True)),
    )


def upgrade() -> None:
    for column in columns():
        op.add_column("model_version", column)
    op.execute(f"CREATE OR REPLACE VIEW bi.model AS {MODEL.format(more=MORE)}")
    for column, about in MODEL_COLUMNS.items():
        op.execute(f"COMMENT ON COLUMN bi.model.{column} IS {quoted(about)}")
    for name, (query, comment, about_columns) in VIEWS.items():
        op.execute(f"CREATE VIEW bi.{name} AS {query}")
        op.execute(f"COMMENT ON VIEW bi.{name} IS {quoted(comment)}")
        for column, about in about_columns.items():
            op.execute(f"COMMENT ON COLUMN bi.{name}.{column} IS {quoted(about)}")
    op.execute("""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'opinion_bi') THEN
                GRANT SELECT ON bi.model, bi.model_period, bi.model_seen TO opinion_bi;
            END IF;
        END $$
    """)


def downgrade() -> None:
    for name in VIEWS:
        op.execute(f"DROP VIEW bi.{name}")
    comment = "Model versions, and who was champion when: one row per promotion, or one without dates."
    op.execute("DROP VIEW bi.model")
    op.execute(f"CREATE VIEW bi.model AS {MODEL.format(more='')}")
    op.execute(f"COMMENT ON VIEW bi.model IS {quoted(comment)}")
    op.execute("COMMENT ON COLUMN bi.model.promoted_at IS 'champion from'")
    op.execute("COMMENT ON COLUMN bi.model.replaced_at IS 'champion until; null for the present one'")
    op.execute("""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'opinion_bi') THEN
                GRANT SELECT ON bi.model TO opinion_bi;
            END IF;
        END $$
    """)
    for column in reversed(columns()):
        op.drop_column("model_version", column.name)


def quoted(comment: str) -> str:
    return "'" + comment.replace("'", "''") + "'"
