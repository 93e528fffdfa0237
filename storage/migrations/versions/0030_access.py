"""who may use the console, who is logged in, who tried, and what was changed; goes before the code

A console of the version before knows none of these tables and lets in whoever reaches it, as it did.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "person",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text()),
        sa.Column("must_change", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("issuer", sa.Text()),
        sa.Column("subject", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True)),
        sa.Column("last_login_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("role IN ('viewer', 'annotator', 'analyst', 'admin')", name=op.f("person_role_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("person_pkey")),
        sa.UniqueConstraint("name_key", name=op.f("person_name_key_key")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("person_issuer_subject_key")),
        comment="Who may use the console, as what. Passwords are argon2 hashes; null where somebody else vouches for "
        "the person (issuer and subject of OpenID Connect).",
    )
    op.create_table(
        "session",
        sa.Column("id_hash", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("session_pkey")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("session_person_id_fkey"), ondelete="CASCADE"
        ),
        comment="Who is logged in, by the SHA-256 of what their browser holds.",
    )
    op.create_index(op.f("session_person_id_idx"), "session", ["person_id"])
    op.create_table(
        "login_limit",
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("paid_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key_hash", name=op.f("login_limit_pkey")),
        comment="How much was tried under a name, from an address or from a browser, as hashes: each attempt moves "
        "paid_until further ahead, time lets it catch up, and who is too far ahead waits.",
    )
    op.create_index(op.f("login_limit_paid_until_idx"), "login_limit", ["paid_until"])
    op.create_table(
        "app_secret",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("app_secret_pkey")),
        comment="Keys that all processes of this installation share, made at first use.",
    )
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint("outcome IN ('done', 'refused', 'failed')", name=op.f("audit_log_outcome_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("audit_log_pkey")),
        comment="Who changed what, from where, and what became of it. Append-only: a trigger refuses all else.",
    )
    op.execute("""
        CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'audit_log is append-only';
        END $$
    """)
    op.execute("""
        CREATE TRIGGER audit_log_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
        FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only()
    """)


def downgrade() -> None:
    op.drop_table("audit_log")
    op.execute("DROP FUNCTION audit_log_is_append_only()")
    op.drop_table("app_secret")
    op.drop_table("login_limit")
    op.drop_table("session")
    op.drop_table("person")
