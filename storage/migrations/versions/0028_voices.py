"""who is a voice: of documents that are copies of one another, each of which no earlier one is a copy

Goes with the code: end the workers of the version before first. They count one voice a cluster, and what they store
beside newer ones is counted by their rule; the audit names it. What is stored already keeps its one voice a cluster.
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

TEXT_BEFORE = (
    "A text that documents of one day have in common, and its signature; cluster is null where its document has no "
    "copies."
)
CLUSTER_BEFORE = "Documents that are copies of one another, directly or through others; the earliest is their voice."
COUNTS = """
    count(*) AS copies, count(*) FILTER (WHERE {judged}.sentiment = 'negative') AS negative_copies,
    count(*) FILTER (WHERE {judged}.sentiment = 'neutral') AS neutral_copies,
    count(*) FILTER (WHERE {judged}.sentiment = 'positive') AS positive_copies
"""
JUST_VOICES = """
    FROM copy_text AS t
    JOIN copy_cluster AS c ON c.id = t.cluster
    JOIN document AS d ON d.published_at = t.first_at AND d.id = t.first_id
    {mentions}
    WHERE NOT t.follows AND (t.first_at, t.first_id) <> (c.first_at, c.first_id)
"""
MENTIONS = "JOIN mention AS m ON m.published_at = d.published_at AND m.document_id = d.id"
OF_DOCUMENT = "d.source, d.kind, d.lang, d.topic_label, {judged}.model_version"

COPY = """
    SELECT d.id AS document_id, d.published_at, coalesce(c.first_id, d.id) AS copy_cluster,
           {is_independent} AS is_independent,
           coalesce(c.documents, 1) AS carriers
    FROM public.document AS d
    LEFT JOIN public.copy_text AS t ON t.id = d.copy_text
    LEFT JOIN public.copy_cluster AS c ON c.id = t.cluster
"""
IS_VOICE = "coalesce(NOT t.follows AND (t.first_at, t.first_id) = (d.published_at, d.id), true)"
IS_FIRST = "c.id IS NULL OR (c.first_at = d.published_at AND c.first_id = d.id)"
ABOUT_VOICE = "whether it is a voice: no document published before it is its copy"
ABOUT_FIRST = "whether it is that earliest document"
ABOUT_NAME = "id of its earliest document in bi.document"
ABOUT_NAME_BEFORE = "id of its earliest document in bi.document: the voice that the others carry"


def upgrade() -> None:
    op.add_column("copy_text", sa.Column("follows", sa.Boolean(), nullable=False, server_default=sa.text("false")))
    op.execute("""
        UPDATE copy_text AS t SET follows = true FROM copy_cluster AS c
        WHERE c.id = t.cluster AND (c.first_at, c.first_id) <> (t.first_at, t.first_id)
    """)
    op.execute(f"CREATE OR REPLACE VIEW bi.copy AS {COPY.format(is_independent=IS_VOICE)}")
    comment(
        TEXT_BEFORE + " Its first document is a voice unless it follows: an earlier text is its copy.",
        "Documents that are copies of one another, directly or through others; it is named after the earliest.",
        ABOUT_VOICE,
        ABOUT_NAME,
    )


def downgrade() -> None:
    take_back("opinion_minute", "", "", "d")
    take_back("watchlist_minute", "watchlist, ", MENTIONS, "m")
    op.execute(f"CREATE OR REPLACE VIEW bi.copy AS {COPY.format(is_independent=IS_FIRST)}")
    op.drop_column("copy_text", "follows")
    comment(TEXT_BEFORE, CLUSTER_BEFORE, ABOUT_FIRST, ABOUT_NAME_BEFORE)


def take_back(table: str, key: str, mentions: str, judged: str) -> None:
    """Count as copies all but the earliest of a cluster."""
    columns = f"bucket_at, {key}source, kind, lang, topic_label, model_version"
    selected = f"date_trunc('minute', d.published_at, 'UTC'), {key and 'm.'}{key}{OF_DOCUMENT.format(judged=judged)}"
    counts = ("copies", "negative_copies", "neutral_copies", "positive_copies")
    op.execute(f"""
        UPDATE {table} AS w SET {", ".join(f"{name} = w.{name} + r.{name}" for name in counts)}
        FROM (
            SELECT {selected}, {COUNTS.format(judged=judged)} {JUST_VOICES.format(mentions=mentions)}
            GROUP BY {", ".join(str(n + 1) for n in range(columns.count(",") + 1))}
        ) AS r({columns}, {", ".join(counts)})
        WHERE ({", ".join(f"w.{name.strip()}" for name in columns.split(","))})
            = ({", ".join(f"r.{name.strip()}" for name in columns.split(","))})
    """)  # noqa: S608  # our own names


def comment(text: str, cluster: str, independent: str, name: str) -> None:
    op.create_table_comment("copy_text", text)
    op.create_table_comment("copy_cluster", cluster)
    op.execute(f"COMMENT ON COLUMN bi.copy.is_independent IS '{independent}'")
    op.execute(f"COMMENT ON COLUMN bi.copy_cluster.copy_cluster IS '{name}'")
