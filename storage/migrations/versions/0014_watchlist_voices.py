"""how many voices there are among the documents that mention a watchlist, in every minute

Goes before the code. The copies among what was stored before are counted here. Workers of the version before store copies
without counting them for watchlists: once the last of them has ended, `opinion watch recount` counts what they left out,
and the audit names it until then.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

COUNTS = ("copies", "negative_copies", "neutral_copies", "positive_copies")
COUNTED = "source, kind, lang, topic_label, model_version"
FILL = """
    UPDATE watchlist_minute AS w
    SET copies = r.copies, negative_copies = r.negative_copies, neutral_copies = r.neutral_copies,
        positive_copies = r.positive_copies
    FROM (
        SELECT date_trunc('minute', m.published_at, 'UTC') AS bucket_at, m.watchlist, d.source, d.kind, d.lang,
               d.topic_label, m.model_version, count(*) AS copies,
               count(*) FILTER (WHERE m.sentiment = 'negative') AS negative_copies,
               count(*) FILTER (WHERE m.sentiment = 'neutral') AS neutral_copies,
               count(*) FILTER (WHERE m.sentiment = 'positive') AS positive_copies
        FROM copy_cluster AS c
        JOIN copy_text AS t ON t.cluster = c.id
        JOIN document AS d ON d.copy_text = t.id
        JOIN mention AS m ON m.published_at = d.published_at AND m.document_id = d.id
        WHERE (c.first_at, c.first_id) <> (d.published_at, d.id)
        GROUP BY 1, 2, 3, 4, 5, 6, 7
    ) AS r
    WHERE (w.bucket_at, w.watchlist, w.source, w.kind, w.lang, w.topic_label, w.model_version)
        = (r.bucket_at, r.watchlist, r.source, r.kind, r.lang, r.topic_label, r.model_version)
"""
BEFORE = f"""
    SELECT bucket_at, watchlist, {COUNTED}, total, negative, neutral, positive,
           round(negative::numeric / nullif(total, 0), 4) AS negative_share
"""
VOICES = ", total - copies AS independent, negative - negative_copies AS independent_negative"
FROM = "FROM public.watchlist_minute WHERE total > 0"
VOICE_COMMENTS = {
    "independent": "of total, those that are nobody's copy: a story that fifty outlets carry counts once",
    "independent_negative": "of independent, those that are negative toward the watchlist",
}
VIEW_COMMENT = (
    "Documents that mention a watchlist, per minute of published_at, by what they are and how they speak of it. "
    "Always equal to the rows of bi.mention."
)
COMMENTS_BEFORE = {
    "bucket_at": "start of the minute, UTC",
    "watchlist": "its name; see bi.watchlist",
    "source": "where the documents came from",
    "kind": "news, comment or post",
    "lang": "ISO 639-1 code",
    "topic_label": "what the classifier says the documents are about; see bi.topic",
    "model_version": "which model judged the mentions; see bi.model",
    "total": "documents that mention the watchlist",
    "negative": "of these, negative toward it",
    "neutral": "of these, neutral toward it",
    "positive": "of these, positive toward it",
    "negative_share": "negative / total",
}


def upgrade() -> None:
    for name in COUNTS:
        op.add_column("watchlist_minute", sa.Column(name, sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.execute(FILL)
    op.execute(f"CREATE OR REPLACE VIEW bi.watchlist_minute AS {BEFORE} {VOICES} {FROM}")
    comment(VOICE_COMMENTS)


def downgrade() -> None:
    op.execute("DROP VIEW bi.watchlist_minute")  # a view can gain columns in place, but not lose them
    op.execute(f"CREATE VIEW bi.watchlist_minute AS {BEFORE} {FROM}")
    op.execute(f"COMMENT ON VIEW bi.watchlist_minute IS {quoted(VIEW_COMMENT)}")
    comment(COMMENTS_BEFORE)
    op.execute("""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'opinion_bi') THEN
                GRANT SELECT ON bi.watchlist_minute TO opinion_bi;
            END IF;
        END $$
    """)
    for name in COUNTS:
        op.drop_column("watchlist_minute", name)


def comment(columns: dict[str, str]) -> None:
    for column, about in columns.items():
        op.execute(f"COMMENT ON COLUMN bi.watchlist_minute.{column} IS {quoted(about)}")


def quoted(comment: str) -> str:
    return "'" + comment.replace("'", "''") + "'"
