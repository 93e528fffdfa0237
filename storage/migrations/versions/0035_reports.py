"""daily and weekly reports as they were made; goes before the code"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "report",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("watchlist", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("pdf", sa.LargeBinary(), nullable=True),
        sa.Column("document_ids", ARRAY(sa.Text()), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('daily', 'weekly')", name=op.f("report_kind_check")),
        sa.CheckConstraint("language IN ('zh', 'en')", name=op.f("report_language_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("report_pkey")),
        sa.UniqueConstraint(
            "kind", "watchlist", "first_day", "language", name=op.f("report_kind_watchlist_first_day_language_key")
        ),
        comment="Daily and weekly reports as they were made; an empty watchlist: of everything. document_ids are those "
        "that it names, so that a report goes when one of them is erased.",
    )


def downgrade() -> None:
    op.drop_table("report")
