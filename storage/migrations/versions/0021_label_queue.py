"""what people are asked to label next, and who has it in hand

Goes before the code. Schedulers and consoles of the version before neither fill nor read it.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "label_queue",
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("score", sa.REAL(), nullable=False),
        sa.Column("place", sa.Double(), nullable=False),
        sa.Column("detail", postgresql.JSONB(), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("cluster", sa.BigInteger(), nullable=True),
        sa.Column("wanted", sa.Integer(), nullable=False, server_default=sa.text("1")),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("taken_by", sa.Text(), nullable=True),
        sa.Column("taken_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_by", postgresql.ARRAY(sa.Text()), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("skipped_by", postgresql.ARRAY(sa.Text()), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("document_id", name=op.f("label_queue_pkey")),
        sa.CheckConstraint(
            "reason IN ('uncertain', 'diverse', 'alert', 'random')", name=op.f("label_queue_reason_check")
        ),
        sa.CheckConstraint("wanted >= 1", name=op.f("label_queue_wanted_check")),
        comment="Documents that people are asked to label, why, and who has them in hand; the lowest place comes "
        "first. Holds no word of them.",
    )
    op.create_index(
        op.f("label_queue_place_idx"), "label_queue", ["place"], postgresql_where=sa.text("done_at IS NULL")
    )
    op.create_index(
        op.f("label_queue_cluster_idx"), "label_queue", ["cluster"], postgresql_where=sa.text("cluster IS NOT NULL")
    )
    op.create_index(
        op.f("label_queue_done_at_idx"), "label_queue", ["done_at"], postgresql_where=sa.text("done_at IS NOT NULL")
    )


def downgrade() -> None:
    op.drop_table("label_queue")
