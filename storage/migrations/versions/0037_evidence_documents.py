"""which incidents a document was evidence for is looked up; goes before the code"""

from alembic import op

revision = "0037"
down_revision = "0035"
branch_labels = None
depends_on = None

INDEXES = {
    "evidence_documents_idx": "jsonb_path_query_array(body, '$.documents[*].id')",
    "evidence_carried_idx": "jsonb_path_query_array(body, '$.drivers.cluster[*].id')",
}


def upgrade() -> None:
    for name, ids in INDEXES.items():
        op.execute(f"CREATE INDEX {name} ON evidence USING gin ({ids})")


def downgrade() -> None:
    for name in INDEXES:
        op.execute(f"DROP INDEX {name}")
