"""whether the model was unsure of a document's topic and sentiment

Goes before the code. The columns are nullable and have no default: workers of the version before copy into a
temporary table made like document, which keeps NOT NULL but no defaults. Null says that nobody asked.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLES = ("document", "document_revision")
BEFORE = """id, revision, kind, source, lang, url, title, text, author, parent_id, likes, reposts, replies,
    published_at, crawled_at, stored_at, topic_label, topic_scores, sentiment,
    score_negative, score_neutral, score_positive, model_version"""
COMMENTS_BEFORE = {
    "id": "source:native_id, or derived from source and address",
    "revision": "how often a newer crawl replaced it; 0 for the first version",
    "published_at": "event time, UTC",
    "sentiment": "negative, neutral or positive: the highest score",
    "score_negative": "calibrated probability; the three sum to 1",
    "topic_scores": "the three highest topic probabilities",
    "parent_id": "the document this one comments on",
}
VIEW_COMMENT = (
    "One row per document: its newest version and verdict. Give a range of published_at: it picks the partitions."
)
COMMENTS = {
    "topic_uncertain": "the model was unsure of topic_label: its best score was below models.uncertain_below; "
    "null for documents judged before there was this mark",
    "sentiment_uncertain": "the model was unsure of sentiment: its best score was below models.uncertain_below; "
    "null for documents judged before there was this mark",
}


def upgrade() -> None:
    for table in TABLES:
        for column in COMMENTS:
            op.add_column(table, sa.Column(column, sa.Boolean(), nullable=True))
    op.execute(f"CREATE OR REPLACE VIEW bi.document AS SELECT {BEFORE}, {', '.join(COMMENTS)} FROM public.document")
    comment_on_columns(COMMENTS)


def downgrade() -> None:
    op.execute("DROP VIEW bi.document")  # a view can gain columns in place, but not lose them
    op.execute(f"CREATE VIEW bi.document AS SELECT {BEFORE} FROM public.document")
    op.execute(f"COMMENT ON VIEW bi.document IS {quoted(VIEW_COMMENT)}")
    comment_on_columns(COMMENTS_BEFORE)
    op.execute("""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'opinion_bi') THEN
                GRANT SELECT ON bi.document TO opinion_bi;
            END IF;
        END $$
    """)
    for table in TABLES:
        for column in COMMENTS:
            op.drop_column(table, column)


def comment_on_columns(comments: dict[str, str]) -> None:
    for column, about in comments.items():
        op.execute(f"COMMENT ON COLUMN bi.document.{column} IS {quoted(about)}")


def quoted(comment: str) -> str:
    return "'" + comment.replace("'", "''") + "'"
