"""how people's answers came about, answers taken back, and what people say of a document beside its verdict

Goes before the code. Code of the version before adds answers without the new columns, does not keep `people_verdict`,
and takes an answer that was taken back for one that stands: label and retrain when all processes are new.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

LABEL_COLUMNS = {
    "guideline": "version of the guideline that the annotator went by; empty if unknown",
    "seconds": "how long the annotator took; null if unknown",
    "intake": "how it came: console, command, file, label_studio or topic; unknown for rows of older versions",
    "is_adjudication": "given to settle what others disagree about; it wins over their answers",
    "retracts": "id of the answer that this row takes back; null for an answer",
}
LABEL_BEFORE = "id, document_id, head, answer, annotator, lang, source, labelled_at, recorded_at"
LABEL_COMMENT = "People's answers, append-only. What was taken back is the retracts of a later row."
# As `storage.human_labels.READ_TEXT`: what the classifier read.
READ_TEXT = """
    CASE WHEN d.title IS NULL OR starts_with(d.text, d.title) THEN '' ELSE d.title || E'\\n' END || d.text
    || CASE WHEN d.quoted_text IS NULL OR strpos(d.text, d.quoted_text) > 0 THEN ''
       ELSE E'\\n' || d.quoted_text END
"""
PEOPLE = {
    "people_topic": ("topic_label", "what people say it is about, beside topic_label; null if they have not settled"),
    "people_topic_by": ("topic_by", "who said so"),
    "people_sentiment": ("sentiment", "what people say, beside sentiment; null if they have not settled"),
    "people_sentiment_by": ("sentiment_by", "who said so"),
}


def upgrade() -> None:
    for column in (
        sa.Column("guideline", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("seconds", sa.REAL(), nullable=True),
        sa.Column("intake", sa.Text(), nullable=False, server_default=sa.text("'unknown'")),
        sa.Column("is_adjudication", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("retracts", sa.BigInteger(), nullable=True),
    ):
        op.add_column("human_label", column)
    op.create_foreign_key(
        op.f("human_label_retracts_fkey"), "human_label", "human_label", ["retracts"], ["id"], ondelete="CASCADE"
    )
    op.create_check_constraint(
        op.f("human_label_intake_check"),
        "human_label",
        "intake IN ('console', 'command', 'file', 'label_studio', 'topic', 'unknown')",
    )
    op.create_index(
        op.f("human_label_retracts_idx"),
        "human_label",
        ["retracts"],
        unique=True,
        postgresql_where=sa.text("retracts IS NOT NULL"),
    )
    op.create_index(op.f("human_label_annotator_id_idx"), "human_label", ["annotator", "id"])
    op.create_table(
        "people_verdict",
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("text_hash", sa.LargeBinary(), nullable=True),
        sa.Column("topic_label", sa.Text(), nullable=True),
        sa.Column("topic_by", sa.Text(), nullable=True),
        sa.Column("topic_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sentiment", sa.Text(), nullable=True),
        sa.Column("sentiment_by", sa.Text(), nullable=True),
        sa.Column("sentiment_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("document_id", name=op.f("people_verdict_pkey")),
        comment="What people's answers about a stored document come to, for as long as its text is the one they "
        "read (SHA-256 of it). Made from human_label, with every answer.",
    )
    kept = columns()
    people = ", ".join(f"v.{column} AS {name}" for name, (column, _) in PEOPLE.items())
    op.execute(
        f"CREATE OR REPLACE VIEW bi.document AS SELECT {', '.join(f'd.{name}' for name in kept)}, {people} "
        "FROM public.document AS d LEFT JOIN public.people_verdict AS v ON v.document_id = d.id "
        f"AND v.text_hash = sha256(convert_to({READ_TEXT}, 'UTF8'))"
    )
    for name, (_, about) in PEOPLE.items():
        op.execute(f"COMMENT ON COLUMN bi.document.{name} IS {quoted(about)}")
    op.execute(
        f"CREATE OR REPLACE VIEW bi.label AS SELECT {LABEL_BEFORE}, {', '.join(LABEL_COLUMNS)} FROM public.human_label"
    )
    op.execute(f"COMMENT ON VIEW bi.label IS {quoted(LABEL_COMMENT)}")
    for name, about in LABEL_COLUMNS.items():
        op.execute(f"COMMENT ON COLUMN bi.label.{name} IS {quoted(about)}")


def downgrade() -> None:
    kept = {name: comment for name, comment in columns().items() if name not in PEOPLE}
    about = op.get_bind().scalar(sa.text("SELECT obj_description('bi.document'::regclass)"))
    op.execute("DROP VIEW bi.document")  # a view can gain columns in place, but not lose them
    op.execute(f"CREATE VIEW bi.document AS SELECT {', '.join(kept)} FROM public.document")
    op.execute(f"COMMENT ON VIEW bi.document IS {quoted(about or '')}")
    for name, comment in kept.items():
        if comment:
            op.execute(f"COMMENT ON COLUMN bi.document.{name} IS {quoted(comment)}")
    op.execute("DROP VIEW bi.label")
    op.execute(f"CREATE VIEW bi.label AS SELECT {LABEL_BEFORE} FROM public.human_label")
    op.execute("COMMENT ON VIEW bi.label IS 'People''s answers, append-only.'")
    op.execute("COMMENT ON COLUMN bi.label.head IS 'topic or sentiment'")
    op.execute("COMMENT ON COLUMN bi.label.answer IS 'the class a person chose'")
    op.execute("""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'opinion_bi') THEN
                GRANT SELECT ON bi.document, bi.label TO opinion_bi;
            END IF;
        END $$
    """)
    op.drop_table("people_verdict")
    op.execute("DELETE FROM human_label WHERE id IN (SELECT retracts FROM human_label)")  # with what takes them back
    op.drop_index(op.f("human_label_annotator_id_idx"), table_name="human_label")
    op.drop_index(op.f("human_label_retracts_idx"), table_name="human_label")
    op.drop_constraint(op.f("human_label_intake_check"), "human_label")
    op.drop_constraint(op.f("human_label_retracts_fkey"), "human_label")
    for name in reversed(LABEL_COLUMNS):
        op.drop_column("human_label", name)


def columns() -> dict[str, str | None]:
    """The columns that bi.document has now, in their order, with their comments."""
    query = """
        SELECT attname, col_description(attrelid, attnum) FROM pg_attribute
        WHERE attrelid = 'bi.document'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
    """
    return {name: comment for name, comment in op.get_bind().execute(sa.text(query))}


def quoted(comment: str) -> str:
    return "'" + comment.replace("'", "''") + "'"
