"""which models judged the same texts, when one took over from another, and which incidents are parts of others

Goes before the code. Schedulers of the version before know none of the tables.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

VIEWS = {
    "model_switch": (
        """SELECT clock, at, old_version, new_version, factor, basis, updated_at
           FROM public.model_switch""",
        "When another model took over, for marks in charts: more or fewer negatives from then on may be its doing.",
        {
            "clock": "all, or source= and the name of the source whose documents it judged",
            "at": "the first bucket with documents that it judged, by published_at, UTC",
            "old_version": "the model that most documents were judged by before; see bi.model",
            "new_version": "the model that took over; see bi.model",
            "factor": "how many negatives it finds where the old one finds one; null while unknown",
            "basis": "how that is known: overlap (both judged the same documents), estimate (from the shares before and "
            "after), or unknown (the threshold is higher for a day)",
            "updated_at": "when the factor was last written, UTC",
        },
    ),
    "alert_member": (
        "SELECT incident_id, member_id FROM public.incident_member",
        "Which alerts are told as parts of another one; both are ids of bi.alert.",
        {
            "incident_id": "the alert that people are told of",
            "member_id": "the alert that is a part of it",
        },
    ),
}


def upgrade() -> None:
    op.create_table(
        "model_overlap",
        sa.Column("old_version", sa.Text(), nullable=False),
        sa.Column("new_version", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("documents", sa.Integer(), nullable=False),
        sa.Column("negative_old", sa.Integer(), nullable=False),
        sa.Column("negative_new", sa.Integer(), nullable=False),
        sa.Column("scored_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("old_version", "new_version", "label", "value", name=op.f("model_overlap_pkey")),
        comment="Documents that two models judged, in all (empty label) and by topic, source and lang: what translates "
        "baselines when the one takes over from the other.",
    )
    op.create_table(
        "model_switch",
        sa.Column("clock", sa.Text(), nullable=False),
        sa.Column("new_version", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("old_version", sa.Text(), nullable=False),
        sa.Column("factor", sa.REAL()),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint("basis IN ('overlap', 'estimate', 'unknown')", name=op.f("model_switch_basis_check")),
        sa.PrimaryKeyConstraint("clock", "new_version", name=op.f("model_switch_pkey")),
        comment="When the documents of a clock (all sources, or one) were first judged by another model, by published_at, "
        "and what the detector made of it.",
    )
    op.create_index(op.f("model_switch_at_idx"), "model_switch", ["at"])
    op.create_table(
        "incident_member",
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("incident_member_incident_id_fkey"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["incident.id"], name=op.f("incident_member_member_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("incident_id", "member_id", name=op.f("incident_member_pkey")),
        comment="Which incidents are told as parts of another one, instead of by themselves.",
    )
    op.create_index(op.f("incident_member_member_id_idx"), "incident_member", ["member_id"])
    for name, (query, comment, columns) in VIEWS.items():
        op.execute(f"CREATE VIEW bi.{name} AS {query}")
        op.execute(f"COMMENT ON VIEW bi.{name} IS {quoted(comment)}")
        for column, about in columns.items():
            op.execute(f"COMMENT ON COLUMN bi.{name}.{column} IS {quoted(about)}")
    op.execute("""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'opinion_bi') THEN
                GRANT SELECT ON bi.model_switch, bi.alert_member TO opinion_bi;
            END IF;
        END $$
    """)


def downgrade() -> None:
    for name in VIEWS:
        op.execute(f"DROP VIEW bi.{name}")
    for table in ("incident_member", "model_switch", "model_overlap"):
        op.drop_table(table)


def quoted(comment: str) -> str:
    return "'" + comment.replace("'", "''") + "'"
