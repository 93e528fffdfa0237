"""which watchlists a document mentions, and how it speaks of each

Goes before the code. Workers of the version before neither write nor read mentions; the column of document is nullable and
has no default for their sake, see 0006. While both run, a document that an older worker revises keeps the mentions of
the version before.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES = ("document", "document_revision")
VIEW = """
    SELECT m.watchlist, m.document_id, m.published_at, d.kind, d.source, d.lang, d.url, d.title, d.parent_id,
           d.topic_label, m.mentions, m.sentiment, m.score_negative, m.score_neutral, m.score_positive,
           m.sentiment_uncertain, d.sentiment AS document_sentiment, m.model_version
    FROM public.mention AS m
    JOIN public.document AS d ON d.published_at = m.published_at AND d.id = m.document_id
"""
VIEW_COMMENT = (
    "One row per document and watchlist it mentions, with the sentiment toward that watchlist. Give a watchlist and "
    "a range of published_at."
)
COMMENTS = {
    "watchlist": "the name in the watchlist file",
    "document_id": "id in bi.document",
    "published_at": "event time of the document, UTC",
    "parent_id": "the document this one comments on",
    "mentions": "how often words of the watchlist stand in title and text",
    "sentiment": "negative, neutral or positive toward the watchlist: the highest score",
    "score_negative": "calibrated probability; the three sum to 1",
    "sentiment_uncertain": "the model was unsure of sentiment: its best score was below models.uncertain_below",
    "document_sentiment": "sentiment of the document as a whole",
    "model_version": "which model judged the mention; see bi.model",
}


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("mentions", postgresql.JSONB(), nullable=True))
    op.create_table(
        "mention",
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("watchlist", sa.Text(), nullable=False),
        sa.Column("mentions", sa.Integer(), nullable=False),
        sa.Column("sentiment", sa.Text(), nullable=False),
        sa.Column("score_negative", sa.REAL(), nullable=False),
        sa.Column("score_neutral", sa.REAL(), nullable=False),
        sa.Column("score_positive", sa.REAL(), nullable=False),
        sa.Column("sentiment_uncertain", sa.Boolean(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("published_at", "document_id", "watchlist", name=op.f("mention_pkey")),
        comment="Sentiment toward each watchlist that the newest version of a document mentions; monthly partitions "
        "by published_at.",
        postgresql_partition_by="RANGE (published_at)",
    )
    op.create_index(op.f("mention_watchlist_published_at_idx"), "mention", ["watchlist", "published_at"])
    op.execute(f"CREATE VIEW bi.mention AS {VIEW}")
    op.execute(f"COMMENT ON VIEW bi.mention IS {quoted(VIEW_COMMENT)}")
    for column, about in COMMENTS.items():
        op.execute(f"COMMENT ON COLUMN bi.mention.{column} IS {quoted(about)}")
    op.execute("""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'opinion_bi') THEN
                GRANT SELECT ON bi.mention TO opinion_bi;
            END IF;
        END $$
    """)


def downgrade() -> None:
    op.execute("DROP VIEW bi.mention")
    op.drop_table("mention")
    for table in TABLES:
        op.drop_column(table, "mentions")


def quoted(comment: str) -> str:
    return "'" + comment.replace("'", "''") + "'"
