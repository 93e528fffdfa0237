"""counts per hour and day, always equal to the minute counts

Goes before the code: triggers mark the hours whose minutes change, whichever version of the code changes them. The
roll-ups of what was stored before are made by the scheduler, hour after hour; until then, and where it does not run,
the views read the minutes instead. docs/why/queries.md has the reasons.
"""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

COUNTS = (
    "total", "negative", "neutral", "positive", "copies", "negative_copies", "neutral_copies", "positive_copies",
)  # fmt: skip
INCLUDED = ["total", "negative", "neutral", "positive"]
SUMS = ", ".join(f"sum({name})::integer AS {name}" for name in COUNTS)
OF_DOCUMENTS = ("source", "kind", "lang", "topic_label", "model_version")
OF_MENTIONS = ("watchlist", *OF_DOCUMENTS)

# By roll-up per hour: the minutes it is made of, what it tells apart, and its indexes beside the key. They hold the
# counts, too: an hour's rows lie together by the time they were made, so a topic's or source's lie on a page each.
HOURS = {
    "opinion_hour": ("opinion_minute", OF_DOCUMENTS, [["source", "bucket_at"], ["topic_label", "bucket_at"]]),
    "topic_hour": ("opinion_minute", ("topic_label", "lang"), []),
    "source_hour": ("opinion_minute", ("source", "lang"), [["source", "bucket_at"]]),
    "watchlist_hour": ("watchlist_minute", OF_MENTIONS, [["watchlist", "bucket_at"]]),
    "watchlist_total_hour": ("watchlist_minute", ("watchlist", "lang"), []),
}
DAYS = {
    "opinion_day": ("opinion_hour", [["bucket_at"], ["source", "bucket_at"], ["topic_label", "bucket_at"]]),
    "source_day": ("source_hour", [["bucket_at"]]),
    "watchlist_day": ("watchlist_hour", [["bucket_at"], ["watchlist", "bucket_at"]]),
}
ABOUT = {
    "opinion_hour": "Documents per hour (UTC), for hours that stale_hour does not name.",
    "topic_hour": "The same by topic and language alone.",
    "source_hour": "The same by source and language alone.",
    "watchlist_hour": "Documents that mention a watchlist per hour (UTC), for hours that stale_hour does not name.",
    "watchlist_total_hour": "The same by watchlist and language alone.",
    "source_day": "Documents per local day by source and language alone.",
    "opinion_day": "Documents per local day (reporting_zone), for days that stale_day and stale_hour do not name.",
    "watchlist_day": "Documents that mention a watchlist per local day (reporting_zone), likewise.",
}


def per_hour(table: str) -> str:
    """The counts per hour: rolled up where they are, else summed from the minutes, in one snapshot."""
    minutes, key, _ = HOURS[table]
    dimensions = ", ".join(key)
    return f"""
        CREATE VIEW {view_of(table)} AS
        SELECT bucket_at, {dimensions}, {", ".join(COUNTS)} FROM {table} AS h
        WHERE NOT EXISTS (SELECT FROM stale_hour AS s WHERE s.counts = '{minutes}' AND s.bucket_at = h.bucket_at)
        UNION ALL
        SELECT s.bucket_at, m.* FROM (
            SELECT DISTINCT bucket_at FROM stale_hour WHERE counts = '{minutes}'
        ) AS s CROSS JOIN LATERAL (
            SELECT {dimensions}, {SUMS} FROM {minutes}
            WHERE bucket_at >= s.bucket_at AND bucket_at < s.bucket_at + interval '1 hour'
            GROUP BY {dimensions}
        ) AS m
    """


def per_day(table: str) -> str:
    """The counts per local day: rolled up where they are, else summed from hours, and minutes of hours that are stale
    or lie in two local days."""
    hours, _ = DAYS[table]
    minutes, key, _ = HOURS[hours]
    dimensions = ", ".join(key)
    counted = f"{dimensions}, {', '.join(COUNTS)}"
    return f"""
        CREATE VIEW {view_of(table)} AS
        SELECT local_day, bucket_at, {counted} FROM {table} AS d
        WHERE local_day <> ALL (ARRAY(SELECT u.local_day FROM unclean_day AS u WHERE u.counts = '{minutes}'))
        UNION ALL
        SELECT u.local_day, u.start_at, c.* FROM (SELECT * FROM unclean_day WHERE counts = '{minutes}') AS u
        CROSS JOIN LATERAL (
            SELECT {dimensions}, {SUMS} FROM (
                SELECT {counted} FROM {hours} AS h
                WHERE h.bucket_at >= u.start_at AND h.bucket_at <= u.end_at - interval '1 hour'
                  AND NOT EXISTS (
                      SELECT FROM stale_hour AS s WHERE s.counts = '{minutes}' AND s.bucket_at = h.bucket_at
                  )
                UNION ALL
                SELECT m.* FROM (
                    SELECT bucket_at FROM stale_hour
                    WHERE counts = '{minutes}' AND bucket_at > u.start_at - interval '1 hour' AND bucket_at < u.end_at
                    UNION
                    SELECT date_trunc('hour', edge, 'UTC') FROM (VALUES (u.start_at), (u.end_at)) AS e(edge)
                    WHERE date_trunc('hour', edge, 'UTC') <> edge
                ) AS s CROSS JOIN LATERAL (
                    SELECT {counted} FROM {minutes}
                    WHERE bucket_at >= greatest(s.bucket_at, u.start_at)
                      AND bucket_at < least(s.bucket_at + interval '1 hour', u.end_at)
                    OFFSET 0  -- hour by hour: as a join it may be planned as a scan of all minutes
                ) AS m
            ) AS part GROUP BY {dimensions}
        ) AS c
    """


def view_of(table: str) -> str:
    name, _, unit = table.rpartition("_")
    return f"{name}_per_{unit}"


# The zone as a scalar: a table of one row is never analysed, and is taken to have a thousand.
ZONE = "(SELECT zone FROM reporting_zone)"
UNCLEAN_DAY = f"""
    CREATE VIEW unclean_day AS
    SELECT counts, local_day, local_day::timestamp AT TIME ZONE {ZONE} AS start_at,
           (local_day + 1)::timestamp AT TIME ZONE {ZONE} AS end_at
    FROM (
        SELECT counts, local_day FROM stale_day
        UNION
        SELECT counts, (bucket_at AT TIME ZONE {ZONE})::date FROM stale_hour
        UNION
        SELECT counts, ((bucket_at + interval '59 minutes') AT TIME ZONE {ZONE})::date FROM stale_hour
    ) AS d
"""

# All that is known of sources and topics, from few rows: which there are, how many documents, and the first and the last
# minute of each.
SOURCE_COUNTED = """
    CREATE VIEW source_counted AS
    SELECT known.source, oldest.bucket_at AS first_at, newest.bucket_at AS last_at, known.total
    FROM (SELECT source, sum(total)::bigint AS total FROM source_per_day GROUP BY source) AS known
    CROSS JOIN LATERAL (
        SELECT bucket_at FROM opinion_minute WHERE source = known.source AND total > 0 ORDER BY bucket_at LIMIT 1
    ) AS oldest
    CROSS JOIN LATERAL (
        SELECT bucket_at FROM opinion_minute WHERE source = known.source AND total > 0 ORDER BY bucket_at DESC LIMIT 1
    ) AS newest
"""
TOPIC_COUNTED = """
    CREATE VIEW topic_counted AS
    SELECT known.topic_label, oldest.at AS first_at, newest.at AS last_at, known.total
    FROM (
        SELECT topic_label, min(bucket_at) AS first_hour, max(bucket_at) AS last_hour, sum(total)::bigint AS total
        FROM topic_per_hour WHERE total > 0 GROUP BY topic_label
    ) AS known
    CROSS JOIN LATERAL (
        SELECT min(bucket_at) AS at FROM opinion_minute WHERE topic_label = known.topic_label AND total > 0
          AND bucket_at >= known.first_hour AND bucket_at < known.first_hour + interval '1 hour'
    ) AS oldest
    CROSS JOIN LATERAL (
        SELECT max(bucket_at) AS at FROM opinion_minute WHERE topic_label = known.topic_label AND total > 0
          AND bucket_at >= known.last_hour AND bucket_at < known.last_hour + interval '1 hour'
    ) AS newest
"""

# Statement by statement, with the changed rows as a table: a batch marks an hour once, not once for each minute.
# Marks are only ever added by writers, and so they never wait for one another.
MARK = """
    CREATE FUNCTION mark_stale_hours() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO stale_hour (counts, bucket_at)
        SELECT DISTINCT TG_TABLE_NAME, date_trunc('hour', bucket_at, 'UTC') FROM changed;
        RETURN NULL;
    END $$
"""
MARK_ALL = """
    CREATE FUNCTION mark_all_hours() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_TABLE_NAME = 'opinion_minute' THEN
            INSERT INTO stale_hour (counts, bucket_at) SELECT DISTINCT TG_TABLE_NAME, bucket_at FROM opinion_hour;
        ELSE
            INSERT INTO stale_hour (counts, bucket_at) SELECT DISTINCT TG_TABLE_NAME, bucket_at FROM watchlist_hour;
        END IF;
        RETURN NULL;
    END $$
"""
# Days begin elsewhere in another zone.
MARK_DAYS = """
    CREATE FUNCTION mark_all_days() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        DELETE FROM opinion_day;
        DELETE FROM source_day;
        DELETE FROM watchlist_day;
        INSERT INTO stale_day (counts, local_day)
        SELECT c.counts, day::date FROM (
            SELECT 'opinion_minute', min(bucket_at), max(bucket_at) FROM opinion_hour
            UNION ALL SELECT 'watchlist_minute', min(bucket_at), max(bucket_at) FROM watchlist_hour
        ) AS c(counts, oldest, newest)
        CROSS JOIN LATERAL generate_series(
            (oldest AT TIME ZONE NEW.zone)::date,
            ((newest + interval '59 minutes') AT TIME ZONE NEW.zone)::date,
            interval '1 day'
        ) AS day
        ON CONFLICT DO NOTHING;
        RETURN NULL;
    END $$
"""
EVENTS = {"insert": "NEW", "update": "NEW", "delete": "OLD"}

LOCAL_DAY = f"(bucket_at AT TIME ZONE {ZONE})::date AS local_day"
SHARE = "round(negative::numeric / nullif(total, 0), 4) AS negative_share"
VOICES = "total - copies AS independent, negative - negative_copies AS independent_negative"
BIG = ", ".join(f"{name}::bigint AS {name}" for name in COUNTS[:4])
DIMENSIONS = ", ".join(OF_DOCUMENTS)
PLAIN = "total, negative, neutral, positive"
BIG_VOICES = "(total - copies)::bigint AS independent, (negative - negative_copies)::bigint AS independent_negative"
BI = {
    "sentiment_minute": f"bucket_at, {DIMENSIONS}, {PLAIN}, {SHARE}, {VOICES}, {LOCAL_DAY} FROM opinion_minute",
    "sentiment_hour": f"bucket_at, {DIMENSIONS}, {BIG}, {SHARE}, {BIG_VOICES}, {LOCAL_DAY} FROM opinion_per_hour",
    "sentiment_day": f"bucket_at, {DIMENSIONS}, {BIG}, {SHARE}, {BIG_VOICES}, local_day FROM opinion_per_day",
    "watchlist_minute": f"bucket_at, watchlist, {DIMENSIONS}, {PLAIN}, {SHARE}, {VOICES}, {LOCAL_DAY} "
    "FROM watchlist_minute",
    "watchlist_hour": f"bucket_at, watchlist, {DIMENSIONS}, {BIG}, {SHARE}, {BIG_VOICES}, {LOCAL_DAY} "
    "FROM watchlist_per_hour",
    "watchlist_day": f"bucket_at, watchlist, {DIMENSIONS}, {BIG}, {SHARE}, {BIG_VOICES}, local_day "
    "FROM watchlist_per_day",
}
SUMMED = (
    ", ".join(f"sum({name})::bigint AS {name}" for name in COUNTS[:4])
    + ", round(sum(negative)::numeric / nullif(sum(total), 0), 4) AS negative_share, "
    "sum(total - copies)::bigint AS independent, sum(negative - negative_copies)::bigint AS independent_negative"
)
BEFORE = {
    "sentiment_minute": f"bucket_at, {DIMENSIONS}, {PLAIN}, {SHARE}, {VOICES} FROM opinion_minute WHERE total > 0",
    **{
        f"sentiment_{unit}": f"date_trunc('{unit}', bucket_at, 'UTC') AS bucket_at, {DIMENSIONS}, {SUMMED} "
        f"FROM opinion_minute WHERE total > 0 GROUP BY 1, {DIMENSIONS}"
        for unit in ("hour", "day")
    },
    "watchlist_minute": f"bucket_at, watchlist, {DIMENSIONS}, {PLAIN}, {SHARE}, {VOICES} "
    "FROM watchlist_minute WHERE total > 0",
}
BI_COMMENTS = {
    "sentiment_hour": "Documents per hour of published_at. Always equal to bi.sentiment_minute, and faster.",
    "sentiment_day": "Documents per local day of published_at. Always equal to bi.sentiment_minute, and faster.",
    "watchlist_hour": "Documents that mention a watchlist, per hour of published_at, by what they are and how they "
    "speak of it. Always equal to bi.watchlist_minute, and faster.",
    "watchlist_day": "Documents that mention a watchlist, per local day of published_at, by what they are and how "
    "they speak of it. Always equal to bi.watchlist_minute, and faster.",
}
MENTION_COLUMNS = {
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
    "independent": "of total, those that are nobody's copy: a story that fifty outlets carry counts once",
    "independent_negative": "of independent, those that are negative toward the watchlist",
}
DOCUMENT_COLUMNS = {
    **MENTION_COLUMNS,
    "model_version": "which model said so; see bi.model",
    "total": "documents",
    "negative": "of these, negative ones",
    "neutral": "of these, neutral ones",
    "positive": "of these, positive ones",
    "independent_negative": "of independent, negative ones",
}
del DOCUMENT_COLUMNS["watchlist"]
START_OF_DAY = "start of the local day, as UTC"
GROUPING = (
    "day of bucket_at in the reporting zone, for grouping; give the range by bucket_at, which is faster. Of a zone "
    "whose hours begin between those of UTC, an hour in two days is in the first"
)
BI_COLUMNS = {
    "sentiment_minute": {"local_day": "day in the reporting zone, for grouping; give the range by bucket_at"},
    "sentiment_hour": {"local_day": GROUPING},
    "sentiment_day": {"bucket_at": START_OF_DAY, "local_day": "the day in the reporting zone; fast as a range, too"},
    "watchlist_minute": {"local_day": "day in the reporting zone, for grouping; give the range by bucket_at"},
    "watchlist_hour": {"bucket_at": "start of the hour, UTC", **MENTION_COLUMNS, "local_day": GROUPING},
    "watchlist_day": {
        "bucket_at": START_OF_DAY,
        **MENTION_COLUMNS,
        "local_day": "the day in the reporting zone; fast as a range, too",
    },
}


def upgrade() -> None:
    op.create_table(
        "stale_hour",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("bucket_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("marked_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("stale_hour_pkey")),
        comment="Hours (UTC) whose minutes changed since they were rolled up, one row for each time; counts names the "
        "table of the minutes.",
    )
    op.create_index(op.f("stale_hour_counts_bucket_at_idx"), "stale_hour", ["counts", "bucket_at"])
    op.create_table(
        "stale_day",
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("local_day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("counts", "local_day", name=op.f("stale_day_pkey")),
        comment="Local days whose hours were rolled up since they were; counts names the table of the minutes.",
    )
    for table, (_, key, indexes) in HOURS.items():
        create_counts(table, ["bucket_at"], key, indexes)
    for table, (hours, indexes) in DAYS.items():
        create_counts(table, ["local_day", "bucket_at"], HOURS[hours][1], indexes)
    op.execute(UNCLEAN_DAY)
    for table in HOURS:
        op.execute(per_hour(table))
    for table in DAYS:
        op.execute(per_day(table))
    for view in (SOURCE_COUNTED, TOPIC_COUNTED):
        op.execute(view)
    for function in (MARK, MARK_ALL, MARK_DAYS):
        op.execute(function)
    for minutes in ("opinion_minute", "watchlist_minute"):
        for event, rows in EVENTS.items():
            op.execute(
                f"CREATE TRIGGER {minutes}_stale_{event} AFTER {event} ON {minutes} "
                f"REFERENCING {rows} TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_stale_hours()"
            )
        op.execute(
            f"CREATE TRIGGER {minutes}_stale_truncate AFTER TRUNCATE ON {minutes} "
            "FOR EACH STATEMENT EXECUTE FUNCTION mark_all_hours()"
        )
        op.execute(
            f"INSERT INTO stale_hour (counts, bucket_at) SELECT DISTINCT '{minutes}', "
            f"date_trunc('hour', bucket_at, 'UTC') FROM {minutes}"
        )
    op.execute(
        "CREATE TRIGGER reporting_zone_stale_days AFTER UPDATE ON reporting_zone FOR EACH ROW "
        "WHEN (OLD.zone IS DISTINCT FROM NEW.zone) EXECUTE FUNCTION mark_all_days()"
    )
    for name, query in BI.items():
        op.execute(f"CREATE OR REPLACE VIEW bi.{name} AS SELECT {query} WHERE total > 0")
    describe(BI_COMMENTS, BI_COLUMNS)
    grant(["watchlist_hour", "watchlist_day"])


def create_counts(table: str, times: list[str], key: tuple[str, ...], indexes: list[list[str]]) -> None:
    types = {"bucket_at": sa.DateTime(timezone=True), "local_day": sa.Date()}
    first = times[0]
    op.create_table(
        table,
        *(sa.Column(name, types[name], nullable=False) for name in times),
        *(sa.Column(name, sa.Text(), nullable=False) for name in key),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in COUNTS),
        sa.PrimaryKeyConstraint(first, *key, name=op.f(f"{table}_pkey")),
        comment=ABOUT[table],
    )
    for columns in indexes:
        op.create_index(op.f(f"{table}_{'_'.join(columns)}_idx"), table, columns, postgresql_include=INCLUDED)


def downgrade() -> None:
    for name in BI:
        op.execute(f"DROP VIEW bi.{name}")  # a view can gain columns in place, but not lose them
    for view in ("source_counted", "topic_counted", *map(view_of, (*DAYS, *HOURS))):
        op.execute(f"DROP VIEW {view}")
    op.execute("DROP VIEW unclean_day")
    op.execute("DROP TRIGGER reporting_zone_stale_days ON reporting_zone")
    for minutes in ("opinion_minute", "watchlist_minute"):
        for event in (*EVENTS, "truncate"):
            op.execute(f"DROP TRIGGER {minutes}_stale_{event} ON {minutes}")
    for function in ("mark_stale_hours", "mark_all_hours", "mark_all_days"):
        op.execute(f"DROP FUNCTION {function}()")
    for table in (*DAYS, *HOURS, "stale_day", "stale_hour"):
        op.drop_table(table)
    for name, query in BEFORE.items():
        op.execute(f"CREATE VIEW bi.{name} AS SELECT {query}")
    columns_before = {
        "sentiment_minute": DOCUMENT_COLUMNS | {"bucket_at": "start of the minute, UTC"},
        "sentiment_hour": DOCUMENT_COLUMNS | {"bucket_at": "start of the hour, UTC"},
        "sentiment_day": DOCUMENT_COLUMNS | {"bucket_at": "start of the day, UTC"},
        "watchlist_minute": MENTION_COLUMNS | {"bucket_at": "start of the minute, UTC"},
    }
    describe(COMMENTS_BEFORE, columns_before)
    grant(list(BEFORE))


COMMENTS_BEFORE = {
    "sentiment_minute": "Documents per minute of published_at, by what they are. Always equal to the rows of "
    "bi.document.",
    "sentiment_hour": "Documents per hour of published_at.",
    "sentiment_day": "Documents per day (UTC) of published_at.",
    "watchlist_minute": "Documents that mention a watchlist, per minute of published_at, by what they are and how "
    "they speak of it. Always equal to the rows of bi.mention.",
}


def describe(views: dict[str, str], columns: dict[str, dict[str, str]]) -> None:
    for name, about in views.items():
        op.execute(f"COMMENT ON VIEW bi.{name} IS {quoted(about)}")
    for name, described in columns.items():
        for column, about in described.items():
            op.execute(f"COMMENT ON COLUMN bi.{name}.{column} IS {quoted(about)}")


def grant(views: list[str]) -> None:
    names = ", ".join(f"bi.{name}" for name in views)
    op.execute(f"""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'opinion_bi') THEN
                GRANT SELECT ON {names} TO opinion_bi;
            END IF;
        END $$
    """)


def quoted(comment: str) -> str:
    return "'" + comment.replace("'", "''") + "'"
