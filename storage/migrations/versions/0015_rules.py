"""rules in SQL with their history, what people say of incidents, and the counts of a watchlist by source

Goes before the code. Nothing is changed that workers or schedulers of the version before use.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

TABLES = ("rule", "rule_change", "incident_feedback")
VIEWS = {
    "rule": (
        """SELECT name AS rule, definition, file, is_active, revision, created_at, created_by, updated_at, updated_by
           FROM public.rule""",
        "Rules that people or the rules file made; those that hold by default are in it once somebody changed them.",
        {
            "rule": "the name that bi.alert uses",
            "definition": "what it counts, how it groups and how sensitive it is: docs/how-to/write-rules.md",
            "file": "the rules file that owns it; null where people do, by command or over HTTP",
            "is_active": "false after it was removed",
            "revision": "grows with every change of any rule",
            "created_at": "when it was first made, UTC",
            "created_by": "by whom",
            "updated_at": "when it was last changed or removed, UTC",
            "updated_by": "by whom",
        },
    ),
    "rule_change": (
        """SELECT name AS rule, revision, definition, file, changed_at, changed_by FROM public.rule_change""",
        "Who changed which rule to what, and when.",
        {
            "rule": "its name",
            "revision": "grows with every change of any rule",
            "definition": "what it became; null: it was removed",
            "file": "the rules file it came from; null where a person changed it",
            "changed_at": "when, UTC",
            "changed_by": "by whom",
        },
    ),
    "feedback": (
        """SELECT DISTINCT ON (f.incident_id, f.given_by)
                  f.incident_id AS alert_id, i.rule, f.verdict, f.comment, f.given_by, f.given_at
           FROM public.incident_feedback AS f JOIN public.incident AS i ON i.id = f.incident_id
           ORDER BY f.incident_id, f.given_by, f.id DESC""",
        "What each person last said of an incident.",
        {
            "alert_id": "the incident; see bi.alert",
            "rule": "which rule opened it",
            "verdict": "useful, noise or late",
            "comment": "in the person's words",
            "given_by": "by whom",
            "given_at": "when, UTC",
        },
    ),
}


def upgrade() -> None:
    op.create_table(
        "rule",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("definition", postgresql.JSONB(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("file", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("rule_pkey")),
        comment="What is watched in the counts. Every change takes the next revision, so that the detector sees what "
        "is new; file names the rules file that owns the rule.",
    )
    op.create_index(op.f("rule_revision_idx"), "rule", ["revision"], unique=True)
    op.create_table(
        "rule_change",
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("definition", postgresql.JSONB(), nullable=True),
        sa.Column("file", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("revision", name=op.f("rule_change_pkey")),
        comment="Every change of a rule: who made it what, and when; append-only.",
    )
    op.create_index(op.f("rule_change_name_revision_idx"), "rule_change", ["name", "revision"])
    op.create_table(
        "incident_feedback",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("given_by", sa.Text(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint(
            "verdict IN ('useful', 'noise', 'late')", name=op.f("incident_feedback_verdict_check")
        ),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("incident_feedback_incident_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("incident_feedback_pkey")),
        comment="What people said of incidents; append-only, the newest of each person counts.",
    )
    op.create_index(op.f("incident_feedback_incident_id_idx"), "incident_feedback", ["incident_id"])
    op.create_index(op.f("watchlist_minute_source_bucket_at_idx"), "watchlist_minute", ["source", "bucket_at"])
    for name, (query, comment, columns) in VIEWS.items():
        op.execute(f"CREATE VIEW bi.{name} AS {query}")
        op.execute(f"COMMENT ON VIEW bi.{name} IS {quoted(comment)}")
        for column, about in columns.items():
            op.execute(f"COMMENT ON COLUMN bi.{name}.{column} IS {quoted(about)}")
    op.execute(f"""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'opinion_bi') THEN
                GRANT SELECT ON {", ".join(f"bi.{name}" for name in VIEWS)} TO opinion_bi;
            END IF;
        END $$
    """)


def downgrade() -> None:
    for name in VIEWS:
        op.execute(f"DROP VIEW bi.{name}")
    op.drop_index(op.f("watchlist_minute_source_bucket_at_idx"), "watchlist_minute")
    for table in reversed(TABLES):
        op.drop_table(table)


def quoted(comment: str) -> str:
    return "'" + comment.replace("'", "''") + "'"
