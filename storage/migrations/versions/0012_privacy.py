"""what a post quotes, who has opted out, which keys made pseudonyms, and how far documents have expired

Goes before the code. Workers of the version before write neither; the new column of document is nullable and has no
default for their sake, see 0006. While both run, an older worker stores authors by their name and does not ask the
opt-out list: opt people out, and drop the first month, when all workers are new.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TABLES = ("document", "document_revision")
QUOTED = "what the post passes on of others (//@name:, RT @name:, lines with >); text is then its author's own words"
AUTHOR = "a pseudonym (key id, colon, HMAC-SHA256), equal for equal names; a name in rows of older versions"


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("quoted_text", sa.Text(), nullable=True))
    op.create_table(
        "opt_out",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
        sa.PrimaryKeyConstraint("kind", "value", name=op.f("opt_out_pkey")),
        sa.CheckConstraint("kind IN ('author', 'source', 'document')", name=op.f("opt_out_kind_check")),
        comment="Whose documents are not stored: authors by pseudonym, sources by name, documents by the hash of "
        "their id.",
    )
    op.create_table(
        "author_key",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("first_used_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
        sa.PrimaryKeyConstraint("key_id", name=op.f("author_key_pkey")),
        comment="Which keys authors were made pseudonyms with: their names, never the keys.",
    )
    op.create_table(
        "retention_state",
        sa.Column("is_one", sa.Boolean(), nullable=False, server_default=sa.text("true")),
        sa.Column("documents_before", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("is_one", name=op.f("retention_state_pkey")),
        sa.CheckConstraint("is_one", name=op.f("retention_state_is_one_check")),
        comment="One row once documents have expired: those published before are gone for good, and none is stored "
        "again.",
    )
    op.execute(f"CREATE OR REPLACE VIEW bi.document AS SELECT {', '.join([*columns(), 'quoted_text'])} "
               "FROM public.document")  # fmt: skip
    op.execute(f"COMMENT ON COLUMN bi.document.quoted_text IS {quoted(QUOTED)}")
    op.execute(f"COMMENT ON COLUMN bi.document.author IS {quoted(AUTHOR)}")


def downgrade() -> None:
    kept = {name: comment for name, comment in columns().items() if name != "quoted_text"}
    about = op.get_bind().scalar(sa.text("SELECT obj_description('bi.document'::regclass)"))
    op.execute("DROP VIEW bi.document")  # a view can gain columns in place, but not lose them
    op.execute(f"CREATE VIEW bi.document AS SELECT {', '.join(kept)} FROM public.document")
    op.execute(f"COMMENT ON VIEW bi.document IS {quoted(about or '')}")
    for name, comment in kept.items():
        if comment and name != "author":
            op.execute(f"COMMENT ON COLUMN bi.document.{name} IS {quoted(comment)}")
    op.execute("""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'opinion_bi') THEN
                GRANT SELECT ON bi.document TO opinion_bi;
            END IF;
        END $$
    """)
    for table in ("retention_state", "author_key", "opt_out"):
        op.drop_table(table)
    for table in TABLES:
        op.drop_column(table, "quoted_text")


def columns() -> dict[str, str | None]:
    """The columns that the view has now, in their order, with their comments."""
    query = """
        SELECT attname, col_description(attrelid, attnum) FROM pg_attribute
        WHERE attrelid = 'bi.document'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
    """
    return {name: comment for name, comment in op.get_bind().execute(sa.text(query))}


def quoted(comment: str) -> str:
    return "'" + comment.replace("'", "''") + "'"
