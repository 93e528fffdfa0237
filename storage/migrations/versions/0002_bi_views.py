"""the documented views of schema bi, and the role that may read them and nothing else"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

COUNTS = "sum(total)::bigint AS total, sum(negative)::bigint AS negative, sum(neutral)::bigint AS neutral, \
sum(positive)::bigint AS positive, round(sum(negative)::numeric / nullif(sum(total), 0), 4) AS negative_share"
DIMENSIONS = "source, kind, lang, topic_label, model_version"

COUNT_COLUMNS = {
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

VIEWS = {
    "document": (
        """SELECT id, revision, kind, source, lang, url, title, text, author, parent_id, likes, reposts, replies,
                  published_at, crawled_at, stored_at, topic_label, topic_scores, sentiment,
                  score_negative, score_neutral, score_positive, model_version
           FROM public.document""",
        "One row per document: its newest version and verdict. Give a range of published_at: it picks the partitions.",
        {
            "id": "source:native_id, or derived from source and address",
            "revision": "how often a newer crawl replaced it; 0 for the first version",
            "published_at": "event time, UTC",
            "sentiment": "negative, neutral or positive: the highest score",
            "score_negative": "calibrated probability; the three sum to 1",
            "topic_scores": "the three highest topic probabilities",
            "parent_id": "the document this one comments on",
        },
    ),
    "sentiment_minute": (
        f"SELECT bucket_at, {DIMENSIONS}, total, negative, neutral, positive, "
        "round(negative::numeric / nullif(total, 0), 4) AS negative_share FROM public.opinion_minute WHERE total > 0",
        "Documents per minute of published_at, by what they are. Always equal to the rows of bi.document.",
        {"bucket_at": "start of the minute, UTC", **COUNT_COLUMNS},
    ),
    "sentiment_hour": (
        f"SELECT date_trunc('hour', bucket_at, 'UTC') AS bucket_at, {DIMENSIONS}, {COUNTS} "
        f"FROM public.opinion_minute WHERE total > 0 GROUP BY 1, {DIMENSIONS}",
        "Documents per hour of published_at.",
        {"bucket_at": "start of the hour, UTC", **COUNT_COLUMNS},
    ),
    "sentiment_day": (
        f"SELECT date_trunc('day', bucket_at, 'UTC') AS bucket_at, {DIMENSIONS}, {COUNTS} "
        f"FROM public.opinion_minute WHERE total > 0 GROUP BY 1, {DIMENSIONS}",
        "Documents per day (UTC) of published_at.",
        {"bucket_at": "start of the day, UTC", **COUNT_COLUMNS},
    ),
    "alert": (
        """SELECT id, fingerprint, rule, labels, severity, status, starts_at, ends_at, detected_at,
                  observed, expected, score, annotations, acknowledged_at, acknowledged_by
           FROM public.incident""",
        "Incidents: surges of negative opinion, one row each.",
        {
            "labels": "identity: the rule and the series (topic, source) that surged",
            "status": "firing or resolved",
            "starts_at": "event time of the first bucket of the surge, UTC",
            "ends_at": "event time of its end; null while it fires",
            "detected_at": "event time at which it was judged a surge",
            "observed": "negative documents in the window judged",
            "expected": "how many the baseline expected there",
            "score": "evidence, as the sum of -log10 p of count and share",
        },
    ),
    "source": (
        """SELECT source, min(bucket_at) AS first_at, max(bucket_at) AS last_at, sum(total)::bigint AS total
           FROM public.opinion_minute WHERE total > 0 GROUP BY source""",
        "Where documents come from, and when something last came.",
        {"first_at": "minute of the oldest document", "last_at": "minute of the newest document", "total": "documents"},
    ),
    "topic": (
        """SELECT topic_label, min(bucket_at) AS first_at, max(bucket_at) AS last_at, sum(total)::bigint AS total
           FROM public.opinion_minute WHERE total > 0 GROUP BY topic_label""",
        "The topics that occur.",
        {"topic_label": "a class of the topic head", "total": "documents"},
    ),
    "model": (
        """SELECT v.version, v.parent, v.origin, v.metrics, v.created_at, p.promoted_at, p.promoted_by, p.reason,
                  lead(p.promoted_at) OVER (ORDER BY p.id) AS replaced_at
           FROM public.model_version v LEFT JOIN public.model_promotion p USING (version)""",
        "Model versions, and who was champion when: one row per promotion, or one without dates.",
        {"promoted_at": "champion from", "replaced_at": "champion until; null for the present one"},
    ),
    "label": (
        """SELECT id, document_id, head, answer, annotator, lang, source, labelled_at, recorded_at
           FROM public.human_label""",
        "People's answers, append-only.",
        {"head": "topic or sentiment", "answer": "the class a person chose"},
    ),
}


def quoted(comment: str) -> str:
    return "'" + comment.replace("'", "''") + "'"


def upgrade() -> None:
    op.execute("CREATE SCHEMA bi")
    op.execute("COMMENT ON SCHEMA bi IS 'What dashboards may rely on: documented views, read-only.'")
    for name, (query, comment, columns) in VIEWS.items():
        op.execute(f"CREATE VIEW bi.{name} AS {query}")
        op.execute(f"COMMENT ON VIEW bi.{name} IS {quoted(comment)}")
        for column, about in columns.items():
            op.execute(f"COMMENT ON COLUMN bi.{name}.{column} IS {quoted(about)}")
    # Roles belong to the whole server, so another database may have made it; without the right to make
    # roles the views still work, and an administrator adds the role.
    op.execute("""
        DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'opinion_bi') THEN
                CREATE ROLE opinion_bi NOLOGIN;
            END IF;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL;
            WHEN insufficient_privilege THEN RAISE NOTICE 'role opinion_bi was not created: not permitted';
        END $$
    """)
    op.execute("""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'opinion_bi') THEN
                GRANT USAGE ON SCHEMA bi TO opinion_bi;
                GRANT SELECT ON ALL TABLES IN SCHEMA bi TO opinion_bi;
            END IF;
        END $$
    """)


def downgrade() -> None:
    op.execute("DROP SCHEMA bi CASCADE")
