"""what the checks for drift found, and which new topics are proposed

Goes before the code: nothing else knows the tables.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

VIEWS = {
    "model_drift": (
        """SELECT checked_at, model_version, slice_kind, slice_value, measure, effect, threshold, is_drifted,
                  reference_from, reference_until, reference_documents, current_from, current_until, current_documents,
                  detail
           FROM public.drift_check""",
        "How far the newest documents are from those that the champion took over with: a row per check, slice and measure.",
        {
            "checked_at": "when the check was made, UTC; the same in all its rows",
            "model_version": "the champion then; see bi.model",
            "slice_kind": "all, lang or source",
            "slice_value": "the language or source; empty for all",
            "measure": "what was measured, such as text, sentiment_share, embedding or sentiment_accuracy",
            "effect": "how large it is, in the measure's own unit; 0 is no difference, 0.5 for text",
            "threshold": "an effect above it is drift: what the reference itself does by chance, or the least that matters",
            "is_drifted": "whether the effect is above the threshold",
            "reference_from": "begin of the window held against, by published_at, UTC",
            "reference_until": "its end",
            "reference_documents": "how many of its documents were looked at",
            "current_from": "begin of the newest window, by published_at, UTC",
            "current_until": "its end",
            "current_documents": "how many of its documents were looked at",
            "detail": "estimated accuracy with its interval, shares of classes before and now",
        },
    ),
    "topic_proposal": (
        """SELECT found_at, terms, documents_now, documents_before, current_from, current_until, model_version
           FROM public.topic_proposal""",
        "Clusters of documents whose topic the model doubts: what might become a topic of its own.",
        {
            "found_at": "when they were looked for, UTC; the same for all proposals of a check",
            "terms": "words that the cluster's documents hold more often than other doubtful ones, best first",
            "documents_now": "documents of it in a sample of the newest window, copies counted once",
            "documents_before": "the same of the window before",
            "current_from": "begin of the newest window, by published_at, UTC",
            "current_until": "its end",
            "model_version": "the champion that doubted; see bi.model",
        },
    ),
}


def upgrade() -> None:
    op.create_table(
        "drift_check",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("slice_kind", sa.Text(), nullable=False),
        sa.Column("slice_value", sa.Text(), nullable=False),
        sa.Column("measure", sa.Text(), nullable=False),
        sa.Column("effect", sa.Double(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("is_drifted", sa.Boolean(), sa.Computed("effect > threshold", persisted=True), nullable=False),
        sa.Column("reference_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reference_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reference_documents", sa.Integer(), nullable=False),
        sa.Column("current_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("current_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("current_documents", sa.Integer(), nullable=False),
        sa.Column("detail", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.CheckConstraint("slice_kind IN ('all', 'lang', 'source')", name=op.f("drift_check_slice_kind_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("drift_check_pkey")),
        sa.UniqueConstraint(
            "checked_at", "slice_kind", "slice_value", "measure", name=op.f("drift_check_checked_at_slice_kind_slice_value_measure_key")
        ),
        comment="What each check for drift found, one row per slice and measure; append-only.",
    )
    op.create_table(
        "topic_proposal",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("terms", ARRAY(sa.Text()), nullable=False),
        sa.Column("documents_now", sa.Integer(), nullable=False),
        sa.Column("documents_before", sa.Integer(), nullable=False),
        sa.Column("current_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("current_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("example_ids", ARRAY(sa.Text()), nullable=False),
        sa.Column("example_times", ARRAY(sa.DateTime(timezone=True)), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("topic_proposal_pkey")),
        comment="Clusters of documents whose topic the model doubts, as of each check; examples by id and published_at, "
        "so that what is erased is gone here, too.",
    )
    op.create_index(op.f("topic_proposal_found_at_idx"), "topic_proposal", ["found_at"])
    for name, (query, comment, columns) in VIEWS.items():
        op.execute(f"CREATE VIEW bi.{name} AS {query}")
        op.execute(f"COMMENT ON VIEW bi.{name} IS {quoted(comment)}")
        for column, about in columns.items():
            op.execute(f"COMMENT ON COLUMN bi.{name}.{column} IS {quoted(about)}")
    op.execute("""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'opinion_bi') THEN
                GRANT SELECT ON bi.model_drift, bi.topic_proposal TO opinion_bi;
            END IF;
        END $$
    """)


def downgrade() -> None:
    for name in VIEWS:
        op.execute(f"DROP VIEW bi.{name}")
    for table in ("topic_proposal", "drift_check"):
        op.drop_table(table)


def quoted(comment: str) -> str:
    return "'" + comment.replace("'", "''") + "'"
