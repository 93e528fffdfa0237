"""evidence keeps what the detector knew

Goes before the code: additive, and code that does not know the column leaves it empty. It holds the detector's
options, its baselines from before the bucket that the body's figures are of, and the newest counts.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("evidence", sa.Column("judgement", JSONB(), nullable=True))


def downgrade() -> None:
    op.drop_column("evidence", "judgement")
