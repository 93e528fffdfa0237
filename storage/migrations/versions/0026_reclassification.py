"""jobs that have another model judge stored documents again, and which model each worker runs

Goes before the code. Workers and schedulers of the version before know neither table.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reclassification",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sources", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("watchlists", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reached_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reached_id", sa.Text(), nullable=True),
        sa.Column("figures", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("started_by", sa.Text(), server_default=sa.text("CURRENT_USER"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("reclassification_pkey")),
        sa.CheckConstraint(
            "status IN ('open', 'done', 'cancelled')", name=op.f("reclassification_status_check")
        ),
        comment="Which documents were, or are to be, judged again by another model (published_at from since to until, "
        "of these sources, mentioning these watchlists; empty: any), how far that has come, and what it changed.",
    )
    op.create_table(
        "worker_model",
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("wanted", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("worker", name=op.f("worker_model_pkey")),
        comment="Which model each worker classifies with, which one it was told to use, and why it could not load "
        "that; a worker that has not been seen for a minute is gone.",
    )


def downgrade() -> None:
    op.drop_table("worker_model")
    op.drop_table("reclassification")
