"""bi.source and bi.topic from the roll-ups, and bi.mention by keys instead of whole months; goes before the code"""

from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

SOURCE = """
    SELECT counted.source, counted.first_at, counted.last_at, counted.total, health.state, health.state_since,
           health.expected_per_hour, health.chance, health.muted_until > now() AS is_muted, health.muted_until
    FROM {counted} AS counted
    LEFT JOIN LATERAL (
        SELECT s.state, s.state_since, s.chance, s.muted_until,
               (SELECT round(avg(rate.rate)::numeric, 3) FROM unnest(s.expected) AS rate(rate)) AS expected_per_hour
        FROM public.source AS s WHERE s.name = counted.source
    ) AS health ON true
"""
SOURCES_FROM_MINUTES = """(
        SELECT source, min(bucket_at) AS first_at, max(bucket_at) AS last_at, sum(total) AS total
        FROM public.opinion_minute WHERE total > 0 GROUP BY source
    )"""

TOPIC = "SELECT topic_label, first_at, last_at, total FROM public.topic_counted"
TOPIC_FROM_MINUTES = """
    SELECT topic_label, min(bucket_at) AS first_at, max(bucket_at) AS last_at, sum(total) AS total
    FROM public.opinion_minute WHERE total > 0 GROUP BY topic_label
"""

# A range of times is not passed on through an equality, so a plain join may read all months of document. OFFSET 0
# keeps it a look-up for each mention. In brackets, as 0033 left it and takes it apart again.
MENTION = """
    SELECT v.*, (v.published_at AT TIME ZONE (SELECT zone FROM public.reporting_zone))::date AS local_day FROM (
    SELECT m.watchlist, m.document_id, m.published_at, d.kind, d.source, d.lang, d.url, d.title, d.parent_id,
           d.topic_label, m.mentions, m.sentiment, m.score_negative, m.score_neutral, m.score_positive,
           m.sentiment_uncertain, d.sentiment AS document_sentiment, m.model_version,
           a.title AS article_title, a.source AS article_source, a.url AS article_url,
           a.published_at AS article_published_at
    FROM public.mention AS m
    {document}
    LEFT JOIN public.document_key AS k ON k.id = d.parent_id
    {article}
    ) AS v
"""
LOOKED_UP = (
    """CROSS JOIN LATERAL (
        SELECT * FROM public.document AS one WHERE one.published_at = m.published_at AND one.id = m.document_id OFFSET 0
    ) AS d""",
    """LEFT JOIN LATERAL (
        SELECT * FROM public.document AS one WHERE one.published_at = k.published_at AND one.id = k.id OFFSET 0
    ) AS a ON true""",
)
JOINED = (
    "JOIN public.document AS d ON d.published_at = m.published_at AND d.id = m.document_id",
    "LEFT JOIN public.document AS a ON a.published_at = k.published_at AND a.id = k.id",
)


def upgrade() -> None:
    replace("public.source_counted", TOPIC, LOOKED_UP)


def downgrade() -> None:
    replace(SOURCES_FROM_MINUTES, TOPIC_FROM_MINUTES, JOINED)


def replace(sources: str, topic: str, joins: tuple[str, str]) -> None:
    op.execute(f"CREATE OR REPLACE VIEW bi.source AS {SOURCE.format(counted=sources)}")
    op.execute(f"CREATE OR REPLACE VIEW bi.topic AS {topic}")
    op.execute(f"CREATE OR REPLACE VIEW bi.mention AS {MENTION.format(document=joins[0], article=joins[1])}")
