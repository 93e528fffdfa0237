"""which dead letters were put back, and the ledger by time for the alert on their rate

Goes before the code.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "redriven_letter",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("letter_offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("dead_lettered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("redriven_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint(
            "topic", "partition", "letter_offset", "dead_lettered_at", name=op.f("redriven_letter_pkey")
        ),
        comment="Which dead letters were put back onto the topic they came from.",
    )
    op.create_index(op.f("offset_ledger_last_recorded_at_idx"), "offset_ledger", ["last_recorded_at"])


def downgrade() -> None:
    op.drop_index(op.f("offset_ledger_last_recorded_at_idx"), "offset_ledger")
    op.drop_table("redriven_letter")
