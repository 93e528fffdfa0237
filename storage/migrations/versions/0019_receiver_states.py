"""how each receiver of notifications is doing: its pace, its pauses, its last error

Goes before the code. Schedulers of the version before neither read nor write it, and deliver without a pace.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "receiver_state",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("tokens", sa.Double(), nullable=True),
        sa.Column("refilled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("channel", "receiver", name=op.f("receiver_state_pkey")),
        comment="How each receiver of notifications is doing: messages it may get now (tokens), failures in a row, "
        "until when it is left alone, its last error and last delivery.",
    )
    op.create_index(
        op.f("notification_receiver_number_idx"),
        "notification",
        ["receiver", "number"],
        postgresql_where=sa.text("channel = 'alertmanager' AND status = 'delivered'"),
    )
    op.create_index(
        op.f("notification_number_idx"), "notification", ["number"], postgresql_where=sa.text("status = 'dead'")
    )


def downgrade() -> None:
    op.drop_index(op.f("notification_number_idx"), table_name="notification")
    op.drop_index(op.f("notification_receiver_number_idx"), table_name="notification")
    op.drop_table("receiver_state")
