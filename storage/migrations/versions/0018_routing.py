"""who hears of an incident, and when: subscriptions, what each receiver was told, digests; states that people give

Goes before the code. Schedulers of the version before tell everybody, and take note only of silences whose conditions are
equalities; consoles of the version before know an incident as firing or resolved.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

STATE = """CASE
    WHEN status = 'resolved' OR (closed_at IS NOT NULL AND notified_score <= closed_score) THEN 'resolved'
    WHEN is_pending THEN 'pending'
    WHEN acknowledged_at IS NOT NULL THEN 'acknowledged'
    ELSE 'firing'
END"""
BEFORE = """
    SELECT id, fingerprint, rule, labels, severity, status, starts_at, ends_at, detected_at,
           observed, expected, score, annotations, acknowledged_at, acknowledged_by
"""
VIEW = f"{BEFORE}, state, owner, closed_at, closed_by FROM public.incident"
VIEW_COMMENT = "Incidents: surges of negative opinion, one row each."
BEFORE_COMMENTS = {
    "labels": "identity: the rule and the series (topic, source) that surged",
    "status": "firing or resolved",
    "starts_at": "event time of the first bucket of the surge, UTC",
    "ends_at": "event time of its end; null while it fires",
    "detected_at": "event time at which it was judged a surge",
    "observed": "negative documents in the window judged",
    "expected": "how many the baseline expected there",
    "score": "evidence, as the sum of -log10 p of count and share",
}
COMMENTS = {
    "status": "what the counts say: firing or resolved",
    "state": "what people see: pending (nobody was told yet), firing, acknowledged, or resolved (by the counts, or by "
    "somebody for as long as it does not grow tenfold rarer)",
    "owner": "whose it is",
    "closed_at": "when somebody resolved it",
    "closed_by": "who",
}


def upgrade() -> None:
    op.add_column("incident", sa.Column("is_pending", sa.Boolean(), nullable=False, server_default=sa.text("false")))
    op.add_column("incident", sa.Column("owner", sa.Text()))
    op.add_column("incident", sa.Column("closed_at", sa.DateTime(timezone=True)))
    op.add_column("incident", sa.Column("closed_by", sa.Text()))
    op.add_column("incident", sa.Column("closed_score", sa.REAL()))
    op.add_column("incident", sa.Column("opened_at", sa.DateTime(timezone=True)))
    op.add_column("incident", sa.Column("over_at", sa.DateTime(timezone=True)))
    op.add_column("incident", sa.Column("state", sa.Text(), sa.Computed(STATE, persisted=True), nullable=False))
    op.add_column("silence", sa.Column("conditions", postgresql.ARRAY(sa.Text())))
    op.add_column(
        "silence",
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
    )
    op.add_column("silence", sa.Column("expired_by", sa.Text()))
    op.create_table_comment(
        "silence", "Mutes notifications of incidents whose labels meet all conditions; detection goes on."
    )
    op.alter_column("notification", "incident_id", nullable=True)
    op.create_table_comment(
        "notification",
        "The outbox: one row per message and receiver, numbered in the order in which they were made; a digest is of no "
        "incident.",
    )
    op.create_table(
        "telling",
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("status", sa.Text()),
        sa.Column("first_told_at", sa.DateTime(timezone=True)),
        sa.Column("told_at", sa.DateTime(timezone=True)),
        sa.Column("told_score", sa.REAL()),
        sa.Column("news_at", sa.DateTime(timezone=True)),
        sa.Column("held_by", sa.Text()),
        sa.Column("messages", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("thread", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.CheckConstraint("status IN ('firing', 'resolved')", name=op.f("telling_status_check")),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("telling_incident_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("incident_id", "channel", "receiver", name=op.f("telling_pkey")),
        comment="What each receiver has been told of each incident, and what it has still to hear.",
    )
    op.create_index(
        "telling_unfinished",
        "telling",
        ["incident_id"],
        postgresql_where=sa.text("status = 'firing' OR news_at IS NOT NULL"),
    )
    op.create_table(
        "subscription",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("definition", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by", sa.Text(), server_default=sa.text("CURRENT_USER"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_by", sa.Text(), server_default=sa.text("CURRENT_USER"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("subscription_pkey")),
        comment="Who hears of which incidents, when, and of what in digests. While it is empty, everybody hears of "
        "everything.",
    )
    op.create_table(
        "digest",
        sa.Column("subscription", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("made_to", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("period IN ('daily', 'weekly')", name=op.f("digest_period_check")),
        sa.PrimaryKeyConstraint("subscription", "period", name=op.f("digest_pkey")),
        comment="Up to when the daily and weekly digests of each subscription have been made.",
    )
    op.execute(f"CREATE OR REPLACE VIEW bi.alert AS {VIEW}")
    comment(COMMENTS)


def downgrade() -> None:
    op.execute("DROP VIEW bi.alert")  # a view can gain columns in place, but not lose them
    op.execute(f"CREATE VIEW bi.alert AS {BEFORE} FROM public.incident")
    op.execute(f"COMMENT ON VIEW bi.alert IS {quoted(VIEW_COMMENT)}")
    comment(BEFORE_COMMENTS)
    op.execute("""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'opinion_bi') THEN
                GRANT SELECT ON bi.alert TO opinion_bi;
            END IF;
        END $$
    """)
    for table in ("digest", "subscription", "telling"):
        op.drop_table(table)
    op.execute("DELETE FROM notification WHERE incident_id IS NULL")
    op.alter_column("notification", "incident_id", nullable=False)
    op.create_table_comment(
        "notification",
        "The outbox: one row per change of an incident and receiver, numbered in the order of the changes.",
    )
    op.create_table_comment(
        "silence", "Mutes notifications of incidents whose labels equal all matchers; detection goes on."
    )
    for column in ("conditions", "created_at", "expired_by"):
        op.drop_column("silence", column)
    for column in ("state", "is_pending", "owner", "closed_at", "closed_by", "closed_score", "opened_at", "over_at"):
        op.drop_column("incident", column)


def comment(columns: dict[str, str]) -> None:
    for column, about in columns.items():
        op.execute(f"COMMENT ON COLUMN bi.alert.{column} IS {quoted(about)}")


def quoted(comment: str) -> str:
    return "'" + comment.replace("'", "''") + "'"
