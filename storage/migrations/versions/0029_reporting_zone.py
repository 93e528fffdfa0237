"""which zone local days are in; goes before the code"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reporting_zone",
        sa.Column("is_only", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.CheckConstraint("is_only", name=op.f("reporting_zone_one_row_check")),
        sa.PrimaryKeyConstraint("is_only", name=op.f("reporting_zone_pkey")),
        comment="One row: the zone of local days in schema bi, the setting timezone.",
    )
    op.execute("INSERT INTO reporting_zone (zone) VALUES ('UTC')")


def downgrade() -> None:
    op.drop_table("reporting_zone")
