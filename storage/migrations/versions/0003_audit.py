"""merged ledger lines, and how far the audit has come

Goes before the code: workers of the version before go on writing lines, each of them unmerged.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FATES = "stored + repeats + revisions + dead_lettered"
RECORDS = "last_offset - first_offset + 1"


def upgrade() -> None:
    op.add_column("offset_ledger", sa.Column("merged_lines", sa.Integer(), server_default=sa.text("1"), nullable=False))
    op.drop_constraint(op.f("offset_ledger_every_record_check"), "offset_ledger")
    op.create_check_constraint(
        op.f("offset_ledger_every_record_check"),
        "offset_ledger",
        f"{FATES} = {RECORDS} OR (merged_lines > 1 AND {FATES} > {RECORDS})",
    )
    op.create_table(
        "audit_state",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("state", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("topic", name=op.f("audit_state_pkey")),
        comment="How far the scheduled audit has walked through the rows, and what it has found.",
    )


def downgrade() -> None:
    op.drop_table("audit_state")
    op.drop_constraint(op.f("offset_ledger_every_record_check"), "offset_ledger")
    op.create_check_constraint(
        op.f("offset_ledger_every_record_check"),
        "offset_ledger",
        f"{FATES} = {RECORDS}",
        postgresql_not_valid=True,  # merged lines may count a record that was read twice
    )
    op.drop_column("offset_ledger", "merged_lines")
