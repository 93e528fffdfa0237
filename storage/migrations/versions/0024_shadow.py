"""what an accepted candidate says of live documents beside the champion, before it may be promoted

Goes before the code. Schedulers of the version before promote at once and know none of the tables.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0022"
branch_labels = None
depends_on = None

VIEW = """
    SELECT id AS shadow_id, candidate, champion, training_run, state, started_at, ended_at, decided_by, reasons,
           scored AS documents, live_scored AS live_documents, failures,
           (figures -> 'sentiment' ->> 'agreement')::double precision AS sentiment_agreement,
           (figures -> 'sentiment' ->> 'kappa')::double precision AS sentiment_kappa,
           (figures -> 'topic' ->> 'agreement')::double precision AS topic_agreement,
           (figures -> 'topic' ->> 'kappa')::double precision AS topic_kappa,
           (figures -> 'negative_old')::integer AS negative_champion,
           (figures -> 'negative_new')::integer AS negative_candidate,
           (figures -> 'incidents' ->> 'gained')::integer AS incidents_gained,
           (figures -> 'incidents' ->> 'lost')::integer AS incidents_lost,
           (figures -> 'incidents' ->> 'earlier')::integer AS incidents_earlier,
           (figures -> 'incidents' ->> 'later')::integer AS incidents_later
    FROM public.shadow_run
"""
VIEW_COMMENT = "Candidates that read live documents beside the champion before they were promoted, and what came of it."
COLUMNS = {
    "shadow_id": "its number",
    "candidate": "the model that was tried; see bi.model",
    "champion": "the model that it was held against; see bi.model",
    "training_run": "the retrain run that made the candidate; null where it was not made by one",
    "state": "scoring, waiting (a person has to decide), promoted, rejected or expired",
    "started_at": "when it began, UTC",
    "ended_at": "when it was promoted, rejected or given up, UTC; null until then",
    "decided_by": "shadow where its figures decided, else who did; null until then",
    "reasons": "why it is in this state, in words",
    "documents": "documents that both have judged",
    "live_documents": "of these, published after the shadow began",
    "failures": "documents that the candidate could not judge",
    "sentiment_agreement": "share of the documents of which both say the same sentiment",
    "sentiment_kappa": "the same beyond chance (Cohen's kappa); null where one of them says only one thing",
    "topic_agreement": "share of the documents of which both say the same topic",
    "topic_kappa": "the same beyond chance (Cohen's kappa); null where one of them says only one thing",
    "negative_champion": "documents that the champion calls negative",
    "negative_candidate": "documents that the candidate calls negative",
    "incidents_gained": "incidents that only the candidate's verdicts make; null where none were compared",
    "incidents_lost": "incidents that only the champion's verdicts make",
    "incidents_earlier": "incidents of both that the candidate's verdicts make earlier",
    "incidents_later": "incidents of both that the candidate's verdicts make later",
}


def upgrade() -> None:
    op.create_table(
        "shadow_run",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("candidate", sa.Text(), nullable=False),
        sa.Column("champion", sa.Text(), nullable=False),
        sa.Column("training_run", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), server_default=sa.text("'scoring'"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("reasons", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("window_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("live_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("share", sa.Double(), server_default=sa.text("1"), nullable=False),
        sa.Column("reached_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reached_id", sa.Text(), nullable=True),
        sa.Column("scored", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("live_scored", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("visited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("figures", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.ForeignKeyConstraint(
            ["candidate"], ["model_version.version"], name=op.f("shadow_run_candidate_fkey")
        ),
        sa.CheckConstraint(
            "state IN ('scoring', 'waiting', 'promoted', 'rejected', 'expired')", name=op.f("shadow_run_state_check")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("shadow_run_pkey")),
        comment="Candidates that judge live documents beside the champion before they may be promoted: how far each "
        "has come, what came of it and why.",
    )
    op.create_index(
        "shadow_run_one_open",
        "shadow_run",
        [sa.text("(ended_at IS NULL)")],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(op.f("shadow_run_candidate_idx"), "shadow_run", ["candidate"])
    op.create_table(
        "shadow_verdict",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("lang", sa.Text(), nullable=False),
        sa.Column("topic_old", sa.Text(), nullable=False),
        sa.Column("topic_new", sa.Text(), nullable=False),
        sa.Column("sentiment_old", sa.Text(), nullable=False),
        sa.Column("sentiment_new", sa.Text(), nullable=False),
        sa.Column("score_negative_old", sa.REAL(), nullable=False),
        sa.Column("score_negative_new", sa.REAL(), nullable=False),
        sa.Column("score_topic_old", sa.REAL(), nullable=False),
        sa.Column("score_topic_new", sa.REAL(), nullable=False),
        sa.Column("mentions", postgresql.JSONB(), nullable=True),
        sa.ForeignKeyConstraint(
            ["run_id"], ["shadow_run.id"], name=op.f("shadow_verdict_run_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "published_at", "document_id", name=op.f("shadow_verdict_pkey")),
        comment="What champion (old) and candidate (new) say of the same document; kept until the next candidate comes.",
    )
    op.create_index(op.f("shadow_verdict_document_id_idx"), "shadow_verdict", ["document_id"])
    op.execute(f"CREATE VIEW bi.shadow AS {VIEW}")
    op.execute(f"COMMENT ON VIEW bi.shadow IS {quoted(VIEW_COMMENT)}")
    for column, about in COLUMNS.items():
        op.execute(f"COMMENT ON COLUMN bi.shadow.{column} IS {quoted(about)}")
    op.execute("""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'opinion_bi') THEN
                GRANT SELECT ON bi.shadow TO opinion_bi;
            END IF;
        END $$
    """)


def downgrade() -> None:
    op.execute("DROP VIEW bi.shadow")
    op.drop_table("shadow_verdict")
    op.drop_table("shadow_run")


def quoted(comment: str) -> str:
    return "'" + comment.replace("'", "''") + "'"
