"""watchlists in SQL, and how documents speak of them per minute

Goes before the code. The counts of what was stored before are made here. Workers of the version before store mentions
without counting them: once the last of them has ended, `opinion watch recount` counts what they left out, and the audit
names it until then.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

COUNTED = "source, kind, lang, topic_label, model_version"
FILL = f"""
    INSERT INTO watchlist_minute (bucket_at, watchlist, {COUNTED}, total, negative, neutral, positive)
    SELECT date_trunc('minute', m.published_at, 'UTC'), m.watchlist, d.source, d.kind, d.lang, d.topic_label,
           m.model_version, count(*), count(*) FILTER (WHERE m.sentiment = 'negative'),
           count(*) FILTER (WHERE m.sentiment = 'neutral'), count(*) FILTER (WHERE m.sentiment = 'positive')
    FROM mention AS m JOIN document AS d ON d.published_at = m.published_at AND d.id = m.document_id
    GROUP BY 1, 2, 3, 4, 5, 6, 7
"""
VIEWS = {
    "watchlist": (
        """SELECT name AS watchlist, definition, file, is_active, revision, created_at, created_by, updated_at, updated_by
           FROM public.watchlist""",
        "What is watched, and by which rule.",
        {
            "watchlist": "the name that bi.mention and bi.watchlist_minute use",
            "definition": "any, must, exclude, query, sources, langs: what a document has to say",
            "file": "the watchlist file that owns it; null where people do, by command or in the console",
            "is_active": "false after it was removed; what was counted for it stays",
            "revision": "grows with every change of any watchlist",
            "created_at": "when it was first defined, UTC",
            "created_by": "by whom",
            "updated_at": "when it was last changed or removed, UTC",
            "updated_by": "by whom",
        },
    ),
    "watchlist_minute": (
        f"""SELECT bucket_at, watchlist, {COUNTED}, total, negative, neutral, positive,
                  round(negative::numeric / nullif(total, 0), 4) AS negative_share
           FROM public.watchlist_minute WHERE total > 0""",
        "Documents that mention a watchlist, per minute of published_at, by what they are and how they speak of it. "
        "Always equal to the rows of bi.mention.",
        {
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
        },
    ),
}


def upgrade() -> None:
    op.create_table(
        "watchlist",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("definition", postgresql.JSONB(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("file", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("watchlist_pkey")),
        comment="What is watched. Every change takes the next revision, so that workers see what is new; file names the "
        "watchlist file that owns the entry.",
    )
    op.create_index(op.f("watchlist_revision_idx"), "watchlist", ["revision"], unique=True)
    op.create_table(
        "watchlist_minute",
        sa.Column("bucket_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("watchlist", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("lang", sa.Text(), nullable=False),
        sa.Column("topic_label", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        *(
            sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False)
            for name in ("total", "negative", "neutral", "positive")
        ),
        sa.PrimaryKeyConstraint(
            "bucket_at", "watchlist", "source", "kind", "lang", "topic_label", "model_version",
            name=op.f("watchlist_minute_pkey"),
        ),
        comment="Documents that mention a watchlist, per minute of published_at, by the sentiment toward it; always equal "
        "to the rows of mention.",
    )
    op.create_index(op.f("watchlist_minute_watchlist_bucket_at_idx"), "watchlist_minute", ["watchlist", "bucket_at"])
    op.create_table(
        "watchlist_backfill",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("watchlists", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reached_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reached_id", sa.Text(), nullable=True),
        sa.Column("figures", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("watchlist_backfill_pkey")),
        comment="How far an unfinished backfill of these watchlists, as they were defined when it began, has come.",
    )
    op.execute(FILL)
    for name, (query, comment, columns) in VIEWS.items():
        op.execute(f"CREATE VIEW bi.{name} AS {query}")
        op.execute(f"COMMENT ON VIEW bi.{name} IS {quoted(comment)}")
        for column, about in columns.items():
            op.execute(f"COMMENT ON COLUMN bi.{name}.{column} IS {quoted(about)}")
    op.execute("""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'opinion_bi') THEN
                GRANT SELECT ON bi.watchlist, bi.watchlist_minute TO opinion_bi;
            END IF;
        END $$
    """)


def downgrade() -> None:
    for name in VIEWS:
        op.execute(f"DROP VIEW bi.{name}")
    for table in ("watchlist_backfill", "watchlist_minute", "watchlist"):
        op.drop_table(table)


def quoted(comment: str) -> str:
    return "'" + comment.replace("'", "''") + "'"
