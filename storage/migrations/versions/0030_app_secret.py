"""secrets that the console makes for itself; goes before the code"""

import sqlalchemy as sa
from alembic import op

revision = "0030_secret"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "app_secret",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("app_secret_pkey")),
        comment="Secrets that the console makes for itself.",
    )


def downgrade() -> None:
    op.drop_table("app_secret")
