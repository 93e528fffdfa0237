"""which documents are copies of one another, and how many voices there are in every minute

Goes before the code. Workers of the version before leave document.copy_text null: what they store stands alone until a
newer crawl revises it. While both run, a copy that an older worker revises keeps its cluster, and its minute keeps the
copy under the verdict of the version before: run the older workers out before relying on the counts of copies.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLES = ("document", "document_revision")
COUNTS = ("copies", "negative_copies", "neutral_copies", "positive_copies")
DIMENSIONS = "source, kind, lang, topic_label, model_version"
SUMS = "sum(total)::bigint AS total, sum(negative)::bigint AS negative, sum(neutral)::bigint AS neutral, \
sum(positive)::bigint AS positive, round(sum(negative)::numeric / nullif(sum(total), 0), 4) AS negative_share"
VOICES = ", sum(total - copies)::bigint AS independent, sum(negative - negative_copies)::bigint AS independent_negative"
SPANS = {
    "minute": (
        f"SELECT bucket_at, {DIMENSIONS}, total, negative, neutral, positive, "
        "round(negative::numeric / nullif(total, 0), 4) AS negative_share",
        ", total - copies AS independent, negative - negative_copies AS independent_negative",
        "FROM public.opinion_minute WHERE total > 0",
    ),
    **{
        span: (
            f"SELECT date_trunc('{span}', bucket_at, 'UTC') AS bucket_at, {DIMENSIONS}, {SUMS}",
            VOICES,
            f"FROM public.opinion_minute WHERE total > 0 GROUP BY 1, {DIMENSIONS}",
        )
        for span in ("hour", "day")
    },
}
COMMENTS_BEFORE = {
    "source": "where the documents came from",
    "kind": "news, comment or post",
    "lang": "ISO 639-1 code",
    "topic_label": "what the classifier says the documents are about; see bi.topic",
    "model_version": "which model said so; see bi.model",
    "total": "documents",
    "negative": "of these, negative ones",
    "neutral": "of these, neutral ones",
    "positive": "of these, positive ones",
    "negative_share": "negative / total",
}
VIEW_COMMENTS = {
    "minute": "Documents per minute of published_at, by what they are. Always equal to the rows of bi.document.",
    "hour": "Documents per hour of published_at.",
    "day": "Documents per day (UTC) of published_at.",
}
STARTS = {"minute": "start of the minute, UTC", "hour": "start of the hour, UTC", "day": "start of the day, UTC"}
VOICE_COMMENTS = {
    "independent": "of total, those that are nobody's copy: a story that fifty outlets carry counts once",
    "independent_negative": "of independent, negative ones",
}

COPY = """
    SELECT d.id AS document_id, d.published_at, coalesce(c.first_id, d.id) AS copy_cluster,
           c.id IS NULL OR (c.first_at = d.published_at AND c.first_id = d.id) AS is_independent,
           coalesce(c.documents, 1) AS carriers
    FROM public.document AS d
    LEFT JOIN public.copy_text AS t ON t.id = d.copy_text
    LEFT JOIN public.copy_cluster AS c ON c.id = t.cluster
"""
COPY_COMMENT = (
    "One row per document: whose copy it is. Join it to bi.document or bi.mention by published_at and document id, and "
    "give a range of published_at."
)
COPY_COMMENTS = {
    "document_id": "id in bi.document",
    "published_at": "event time of the document, UTC",
    "copy_cluster": "id of the earliest document of the cluster; its own where it has no copies",
    "is_independent": "whether it is that earliest document",
    "carriers": "how many documents the cluster has, the earliest among them",
}
CLUSTER = """
    SELECT c.first_id AS copy_cluster, c.first_at, m.last_at, c.documents AS carriers, m.sources
    FROM public.copy_cluster AS c
    CROSS JOIN LATERAL (
        SELECT max(d.published_at) AS last_at, count(DISTINCT d.source) AS sources
        FROM public.copy_text AS t
        JOIN public.document AS d ON d.copy_text = t.id
             AND d.published_at >= t.day::timestamp AT TIME ZONE 'UTC'
             AND d.published_at < (t.day + 1)::timestamp AT TIME ZONE 'UTC'
        WHERE t.cluster = c.id
    ) AS m
    WHERE c.documents > 1
"""
CLUSTER_COMMENT = "One row per cluster of copies of two documents or more. Give a range of first_at."
CLUSTER_COMMENTS = {
    "copy_cluster": "id of its earliest document in bi.document: the voice that the others carry",
    "first_at": "when that was published, UTC",
    "last_at": "when the latest copy was published, UTC",
    "carriers": "how many documents there are, the earliest among them",
    "sources": "how many sources they are from",
}


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("copy_text", sa.BigInteger(), nullable=True))
    op.create_index(
        op.f("document_copy_text_idx"), "document", ["copy_text"], postgresql_where=sa.text("copy_text IS NOT NULL")
    )
    for name in COUNTS:
        op.add_column("opinion_minute", sa.Column(name, sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.create_table(
        "copy_text",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("sketch", sa.LargeBinary(), nullable=False),
        sa.Column("shingles", sa.Integer(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("figures", sa.LargeBinary(), nullable=False),
        sa.Column("cluster", sa.BigInteger(), nullable=True),
        sa.Column("documents", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("copy_text_pkey")),
        comment="A text that documents of one day have in common, and its signature; cluster is null where its "
        "document has no copies.",
    )
    op.create_index(
        op.f("copy_text_cluster_idx"), "copy_text", ["cluster"], postgresql_where=sa.text("cluster IS NOT NULL")
    )
    op.create_index(op.f("copy_text_day_idx"), "copy_text", ["day"], postgresql_using="brin")
    op.create_table(
        "copy_band",
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("node", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("key", "slot", name=op.f("copy_band_pkey")),
        comment="Under which keys the texts of copy_text are found; the row of slot 0 is the lock of its key.",
    )
    op.execute("CREATE SEQUENCE copy_cluster_id_seq")
    op.create_table(
        "copy_cluster",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("documents", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_id", sa.Text(), nullable=False),
        sa.Column("parted", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.PrimaryKeyConstraint("id", name=op.f("copy_cluster_pkey")),
        comment="Documents that are copies of one another, directly or through others; the earliest is their voice.",
    )
    for span, (columns, voices, rest) in SPANS.items():
        op.execute(f"CREATE OR REPLACE VIEW bi.sentiment_{span} AS {columns}{voices} {rest}")
        comment(f"sentiment_{span}", None, VOICE_COMMENTS)
    op.execute(f"CREATE VIEW bi.copy AS {COPY}")
    comment("copy", COPY_COMMENT, COPY_COMMENTS)
    op.execute(f"CREATE VIEW bi.copy_cluster AS {CLUSTER}")
    comment("copy_cluster", CLUSTER_COMMENT, CLUSTER_COMMENTS)
    grant("copy", "copy_cluster")


def downgrade() -> None:
    op.execute("DROP VIEW bi.copy_cluster")
    op.execute("DROP VIEW bi.copy")
    for span, (columns, _, rest) in SPANS.items():
        op.execute(f"DROP VIEW bi.sentiment_{span}")  # a view can gain columns in place, but not lose them
        op.execute(f"CREATE VIEW bi.sentiment_{span} AS {columns} {rest}")
        comment(f"sentiment_{span}", VIEW_COMMENTS[span], {"bucket_at": STARTS[span], **COMMENTS_BEFORE})
        grant(f"sentiment_{span}")
    for table in ("copy_cluster", "copy_band", "copy_text"):
        op.drop_table(table)
    op.execute("DROP SEQUENCE copy_cluster_id_seq")
    for name in COUNTS:
        op.drop_column("opinion_minute", name)
    for table in TABLES:
        op.drop_column(table, "copy_text")


def comment(view: str, about_it: str | None, columns: dict[str, str]) -> None:
    if about_it is not None:
        op.execute(f"COMMENT ON VIEW bi.{view} IS {quoted(about_it)}")
    for column, about in columns.items():
        op.execute(f"COMMENT ON COLUMN bi.{view}.{column} IS {quoted(about)}")


def grant(*views: str) -> None:
    grants = " ".join(f"GRANT SELECT ON bi.{view} TO opinion_bi;" for view in views)
    op.execute(
        f"DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'opinion_bi') THEN {grants} END IF; END $$"
    )


def quoted(comment: str) -> str:
    return "'" + comment.replace("'", "''") + "'"
