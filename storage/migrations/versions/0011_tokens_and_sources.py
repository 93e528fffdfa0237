"""tokens of the programs that may push documents, and how each source is

Goes before the code. Workers and consoles of the version before know neither table; `bi.source` keeps its columns and gets
more at its end.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BEFORE = """
    SELECT source, min(bucket_at) AS first_at, max(bucket_at) AS last_at, sum(total)::bigint AS total
    FROM public.opinion_minute WHERE total > 0 GROUP BY source
"""
VIEW = f"""
    SELECT counted.source, counted.first_at, counted.last_at, counted.total,
           health.state, health.state_since, health.expected_per_hour, health.chance,
           health.muted_until > now() AS is_muted, health.muted_until
    FROM ({BEFORE}) AS counted
    LEFT JOIN LATERAL (
        SELECT s.state, s.state_since, s.chance, s.muted_until,
               (SELECT round(avg(rate)::numeric, 3) FROM unnest(s.expected) AS rate) AS expected_per_hour
        FROM public.source AS s WHERE s.name = counted.source
    ) AS health ON true
"""
VIEW_COMMENT = "Where documents come from, when something last came, and whether that is as usual."
COMMENTS = {
    "state": "new (not judged yet), ok, late, silent, or ended (silent for so long that nobody waits any more); null "
    "before the scheduler has seen it",
    "state_since": "when it came into this state; for late and silent, the minute after its newest document",
    "expected_per_hour": "documents an hour, over an average week; null while too little is known",
    "chance": "of hearing nothing for so long from a source that is well",
    "is_muted": "nobody is told when it falls silent",
    "muted_until": "until when",
}


def upgrade() -> None:
    op.create_table(
        "api_token",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True)),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name=op.f("api_token_pkey")),
        comment="Who may use the API for what. Holds SHA-256 hashes, never a token.",
    )
    op.create_table(
        "source",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("live_since", sa.DateTime(timezone=True)),
        sa.Column("seen_at", sa.DateTime(timezone=True)),
        sa.Column("expected", postgresql.ARRAY(sa.REAL())),
        sa.Column("learned_at", sa.DateTime(timezone=True)),
        sa.Column("gaps", postgresql.ARRAY(sa.REAL()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'new'"), nullable=False),
        sa.Column("state_since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("chance", sa.REAL()),
        sa.Column("muted_until", sa.DateTime(timezone=True)),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("state IN ('new', 'ok', 'late', 'silent', 'ended')", name=op.f("source_state_check")),
        sa.PrimaryKeyConstraint("name", name=op.f("source_pkey")),
        comment="What is usual of each source, and whether it keeps to it.",
    )
    op.create_table(
        "source_silence",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("source", "starts_at", name=op.f("source_silence_pkey")),
        comment="When sources were late or silent, by published_at; an empty source stands for all of them together.",
    )
    op.execute(f"CREATE OR REPLACE VIEW bi.source AS {VIEW}")
    op.execute(f"COMMENT ON VIEW bi.source IS {quoted(VIEW_COMMENT)}")
    for column, about in COMMENTS.items():
        op.execute(f"COMMENT ON COLUMN bi.source.{column} IS {quoted(about)}")


def downgrade() -> None:
    op.execute("DROP VIEW bi.source")
    op.execute(f"CREATE VIEW bi.source AS {BEFORE}")
    op.execute("""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'opinion_bi') THEN
                GRANT SELECT ON bi.source TO opinion_bi;
            END IF;
        END $$
    """)
    op.drop_table("source_silence")
    op.drop_table("source")
    op.drop_table("api_token")


def quoted(comment: str) -> str:
    return "'" + comment.replace("'", "''") + "'"
