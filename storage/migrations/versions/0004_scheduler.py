"""who is the active scheduler, when each job last ran, and the order of the outbox

Goes before the code: schedulers of the version before know the lock only, and respect it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

OUTBOX = "The outbox: one row per change of an incident and receiver"


def upgrade() -> None:
    op.add_column("notification", sa.Column("number", sa.BigInteger(), sa.Identity(), nullable=False))
    op.create_index(
        "notification_incident_id_receiver_number_idx",
        "notification",
        ["incident_id", "receiver", "number"],
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_table_comment("notification", f"{OUTBOX}, numbered in the order of the changes.")
    op.create_table(
        "scheduler_lease",
        sa.Column("lease", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("lease", name=op.f("scheduler_lease_pkey")),
        comment="One row: the active scheduler, the number of its term, and its last sign of life.",
    )
    op.create_table(
        "scheduler_job",
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("job", name=op.f("scheduler_job_pkey")),
        comment="When each job that comes round rarely last began (in which term) and ended.",
    )


def downgrade() -> None:
    op.drop_table("scheduler_job")
    op.drop_table("scheduler_lease")
    op.create_table_comment("notification", f"{OUTBOX}.")
    op.drop_index("notification_incident_id_receiver_number_idx", "notification")
    op.drop_column("notification", "number")
