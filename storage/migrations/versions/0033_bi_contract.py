"""schema bi as a contract: its version, the star's incidents with their drivers and documents, local days, and limits
for whoever reads

Goes before the code. Views gain columns at their end, and nothing that was there changes.
"""

import re

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0030"
branch_labels = None
depends_on = None

LOCAL_DAY = "({time} AT TIME ZONE (SELECT zone FROM public.reporting_zone))::date"
ABOUT_LOCAL_DAY = "day of {time} in the zone of bi.reporting_zone; give a range of {time} beside it"
TIMES = {  # by which time each view has its local day
    "document": "published_at",
    "mention": "published_at",
    "comment": "published_at",
    "copy": "published_at",
    "copy_cluster": "first_at",
    "label": "labelled_at",
    "feedback": "given_at",
}
MORE = {"label": (", k.published_at", " LEFT JOIN public.document_key AS k ON k.id = v.document_id")}
NEWEST_EVIDENCE = """LATERAL (
    SELECT id, at, body FROM public.evidence AS e WHERE e.incident_id = i.id ORDER BY e.id DESC LIMIT 1
) AS e"""
NUMBER = "CASE WHEN jsonb_typeof(e.body -> '{key}') = 'number' THEN (e.body ->> '{key}')::{kind} END"
LIST = "CASE WHEN jsonb_typeof({of}) = 'array' THEN {of} ELSE '[]' END"
VIEWS = {
    "version": (
        "SELECT '1.0'::text AS version, date '2026-11-26' AS since, "
        "'the star with incidents, local days, and limits for readers'::text AS what",
        "Which versions the contract has had, the newest last. Within bi, views and columns are only added; what would "
        "break a query comes in a schema bi_v2 beside it.",
        {
            "version": "1.1 adds to 1.0",
            "since": "when it came",
            "what": "what it added",
        },
    ),
    "reporting_zone": (
        "SELECT zone FROM public.reporting_zone",
        "One row: the zone of every local_day, an IANA name.",
        {"zone": "the setting timezone; at AT TIME ZONE zone is local time"},
    ),
    "incident": (
        f"""
        SELECT i.id AS incident_id, i.rule, i.severity, i.status, i.state,
               i.labels ->> 'topic' AS topic_label, i.labels ->> 'source' AS source,
               i.labels ->> 'watchlist' AS watchlist, i.labels ->> 'lang' AS lang, i.labels ->> 'kind' AS kind,
               i.starts_at, i.ends_at, i.detected_at, {LOCAL_DAY.format(time="i.starts_at")} AS local_day,
               i.observed, i.expected, i.score,
               {NUMBER.format(key="documents_in_window", kind="bigint")} AS documents_in_window,
               {NUMBER.format(key="share", kind="real")} AS share,
               {NUMBER.format(key="usual_share", kind="real")} AS usual_share,
               i.annotations ->> 'summary_en' AS summary_en, i.annotations ->> 'summary_zh' AS summary_zh,
               (SELECT min(m.incident_id) FROM public.incident_member AS m WHERE m.member_id = i.id) AS part_of,
               i.owner, i.acknowledged_at, i.acknowledged_by, i.closed_at, i.closed_by, i.labels,
               e.id AS evidence_id, e.at AS evidence_at
        FROM public.incident AS i LEFT JOIN {NEWEST_EVIDENCE} ON true
        """,
        "Incidents, one row each: what surged, how much against which expectation, and what people made of it. "
        "bi.alert has the same rows under the names of older dashboards.",
        {
            "incident_id": "the same as the id of bi.alert",
            "rule": "which rule opened it; see bi.rule",
            "severity": "info, warning or critical",
            "status": "what the counts say: firing or resolved",
            "state": "what people see: pending (nobody was told yet), firing, acknowledged, or resolved",
            "topic_label": "the topic that surged; null where the rule does not group by it",
            "source": "the source that surged; null where the rule does not group by it",
            "watchlist": "the watchlist that surged; null where the rule does not group by it",
            "lang": "the language that surged; null where the rule does not group by it",
            "kind": "news, comment or post; null where the rule does not group by it",
            "starts_at": "event time of the first bucket of the surge, UTC",
            "ends_at": "event time of its end; null while it fires",
            "detected_at": "event time at which it was judged a surge",
            "local_day": "day of starts_at in the zone of bi.reporting_zone",
            "observed": "what the rule counts (negatives, mostly) in the window judged",
            "expected": "how many the baseline expected there",
            "score": "evidence, as the sum of -log10 p of count and share",
            "documents_in_window": "all documents in the window judged",
            "share": "observed / documents_in_window",
            "usual_share": "the share that the baseline expected there",
            "summary_en": "what people were told, in English",
            "summary_zh": "what people were told, in Chinese",
            "part_of": "the incident that it is told as a part of; null where it is told by itself",
            "owner": "whose it is",
            "acknowledged_at": "when somebody took it on, UTC",
            "acknowledged_by": "who",
            "closed_at": "when somebody resolved it, UTC",
            "closed_by": "who",
            "labels": "identity: the rule and the series that surged",
            "evidence_id": "the newest evidence; bi.incident_driver and bi.incident_document are of it",
            "evidence_at": "when that was frozen, UTC",
        },
    ),
    "incident_driver": (
        f"""
        SELECT i.id AS incident_id, i.starts_at, {LOCAL_DAY.format(time="i.starts_at")} AS local_day,
               d.dimension, p.place::integer AS place, p.part ->> 'name' AS name,
               (p.part ->> 'negative')::bigint AS observed, (p.part ->> 'usual')::numeric AS usual,
               (p.part ->> 'excess')::numeric AS excess, (p.part ->> 'share')::numeric AS excess_share,
               p.part ->> 'id' AS document_id, k.published_at AS published_at
        FROM public.incident AS i CROSS JOIN {NEWEST_EVIDENCE}
        CROSS JOIN LATERAL jsonb_each(
            CASE WHEN jsonb_typeof(e.body -> 'drivers') = 'object' THEN e.body -> 'drivers' ELSE '{{}}' END
        ) AS d(dimension, parts)
        CROSS JOIN LATERAL jsonb_array_elements({LIST.format(of="d.parts")}) WITH ORDINALITY AS p(part, place)
        LEFT JOIN public.document_key AS k ON k.id = p.part ->> 'id'
        """,
        "What drives each incident, as its newest evidence says: the largest parts of the excess in each dimension.",
        {
            "incident_id": "see bi.incident",
            "starts_at": "event time of the first bucket of the incident, UTC",
            "local_day": "day of starts_at in the zone of bi.reporting_zone",
            "dimension": "source, topic, watchlist, cluster (a story that is copied) or term (a word)",
            "place": "1 is the largest of its dimension",
            "name": "the source, topic, watchlist, title or word",
            "observed": "what the rule counts of it in the window judged",
            "usual": "how many of what was expected fall to it",
            "excess": "observed - usual",
            "excess_share": "of the whole excess; the parts that are not among the largest make up the rest",
            "document_id": "of a story: a document that tells it; see bi.document",
            "published_at": "event time of that document, UTC; null while it is not stored",
        },
    ),
    "incident_document": (
        f"""
        SELECT i.id AS incident_id, p.place::integer AS place, p.document ->> 'id' AS document_id,
               (p.document ->> 'published_at')::timestamptz AS published_at,
               {LOCAL_DAY.format(time="(p.document ->> 'published_at')::timestamptz")} AS local_day,
               p.document ->> 'source' AS source, (p.document ->> 'score_negative')::real AS score_negative,
               (p.document ->> 'carriers')::bigint AS carriers,
               p.document -> 'stands_for' ->> 'by' AS stands_for, p.document -> 'stands_for' ->> 'name' AS stands_for_name
        FROM public.incident AS i CROSS JOIN {NEWEST_EVIDENCE}
        CROSS JOIN LATERAL jsonb_array_elements({LIST.format(of="e.body -> 'documents'")})
             WITH ORDINALITY AS p(document, place)
        """,
        "The documents that stand for each incident, as its newest evidence says. Join them to bi.document by "
        "published_at and document_id.",
        {
            "incident_id": "see bi.incident",
            "place": "1 stands for the most",
            "document_id": "id in bi.document",
            "published_at": "event time of the document, UTC",
            "local_day": "day of published_at in the zone of bi.reporting_zone",
            "source": "where it came from; see bi.source",
            "score_negative": "calibrated probability, as of then",
            "carriers": "how many documents carried its story then",
            "stands_for": "what it has in common with others of the surge: term, topic, source; score where nothing",
            "stands_for_name": "which term, topic or source",
        },
    ),
}
SOURCE_COLUMNS = {"source": "its name, as bi.document and the counts have it"}
KEY_COMMENTS = {  # keys of the star that had no comment of their own
    "alert": {"id": "the same as the incident_id of bi.incident", "rule": "which rule opened it; see bi.rule"},
    "document": {
        "source": "where it came from; see bi.source",
        "topic_label": "what the classifier says it is about; see bi.topic",
        "model_version": "which model judged it; see bi.model",
        "kind": "news, comment or post",
        "lang": "ISO 639-1 code",
    },
    "mention": {
        "source": "where the document came from; see bi.source",
        "topic_label": "what the classifier says the document is about; see bi.topic",
        "watchlist": "the name in the watchlist file; see bi.watchlist",
    },
    "comment": {
        "source": "where the comment came from; see bi.source",
        "topic_label": "what the classifier says the comment is about; see bi.topic",
        "model_version": "which model judged it; see bi.model",
    },
    "label": {
        "id": "grows with every answer",
        "document_id": "id in bi.document; null where only a text was labelled",
        "annotator": "who answered",
        "source": "where the document came from; see bi.source",
        "labelled_at": "when the annotator answered, UTC",
        "recorded_at": "when the answer came in, UTC",
    },
    "source": SOURCE_COLUMNS,
    "topic": {"first_at": "minute of the oldest document", "last_at": "minute of the newest document"},
    "model": {
        "version": "its name, as bi.document and the counts have it",
        "parent": "the model it was trained from",
        "origin": "how it came: starter, trained, retrain or hub",
        "metrics": "figures of its evaluation",
        "created_at": "when it was registered, UTC",
        "promoted_by": "who made it champion",
        "reason": "why",
    },
}
SCORES = {
    "score_neutral": "calibrated probability",
    "score_positive": "calibrated probability",
    "sentiment_uncertain": "the model was unsure of sentiment: its best score was below models.uncertain_below",
}
REST = {
    "alert": {
        "fingerprint": "which series it is of: equal for all incidents of one rule and series",
        "severity": "info, warning or critical",
        "annotations": "what people were told",
        "acknowledged_at": "when somebody took it on, UTC",
        "acknowledged_by": "who",
    },
    "document": {
        "url": "its address",
        "title": "its title; null where it has none",
        "text": "what its author wrote",
        "likes": "as of the newest crawl",
        "reposts": "as of the newest crawl",
        "replies": "as of the newest crawl",
        "crawled_at": "when the newest version was crawled, UTC",
        "stored_at": "when that was stored, UTC",
        "score_neutral": SCORES["score_neutral"],
        "score_positive": SCORES["score_positive"],
    },
    "mention": {
        "kind": "news, comment or post",
        "lang": "ISO 639-1 code",
        "url": "address of the document",
        "title": "its title; null where it has none",
        "score_neutral": SCORES["score_neutral"],
        "score_positive": SCORES["score_positive"],
    },
    "comment": {
        "lang": "ISO 639-1 code",
        "url": "its address",
        "text": "what its author wrote",
        "likes": "as of the newest crawl",
        "replies": "as of the newest crawl",
        **SCORES,
    },
    "label": {"lang": "ISO 639-1 code"},
}
LIMITS = {
    "default_transaction_read_only": "on",
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "60s",
    "work_mem": "32MB",
    "temp_file_limit": "1GB",  # only a superuser may set it
}


def upgrade() -> None:
    for name, (query, about, columns) in VIEWS.items():
        execute(f"CREATE VIEW bi.{name} AS {query}")
        execute(f"COMMENT ON VIEW bi.{name} IS {quoted(about)}")
        describe(name, columns)
    for view, time in TIMES.items():
        local_day = LOCAL_DAY.format(time=f"v.{time}")
        more, joins = MORE.get(view, ("", ""))
        execute(
            f"CREATE OR REPLACE VIEW bi.{view} AS SELECT v.*, {local_day} AS local_day{more} "
            f"FROM ({query_of(view)}) AS v{joins}"
        )
        describe(view, {"local_day": ABOUT_LOCAL_DAY.format(time=time)})
    describe("label", {"published_at": "event time of the document, UTC; null while it is not stored"})
    for comments in (KEY_COMMENTS, REST):
        for view, columns in comments.items():
            describe(view, columns)
    grant(*VIEWS)
    for setting, value in LIMITS.items():
        execute(f"""
            DO $$ BEGIN
                IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'opinion_bi') THEN
                    ALTER ROLE opinion_bi SET {setting} = '{value}';
                END IF;
            EXCEPTION WHEN insufficient_privilege THEN
                RAISE NOTICE 'role opinion_bi was left without {setting}: not permitted';
            END $$
        """)


def downgrade() -> None:
    for view in TIMES:
        comments = comments_of(view)
        [query] = re.findall(r"FROM \(+ (SELECT .*)\) v\b", query_of(view), re.DOTALL)  # `upgrade` put it in brackets
        execute(f"DROP VIEW bi.{view}")  # a view can gain columns in place, but not lose them
        execute(f"CREATE VIEW bi.{view} AS {query}")
        execute(f"COMMENT ON VIEW bi.{view} IS {quoted(comments.pop(None, ''))}")
        describe(view, {column: about for column, about in comments.items() if column not in added(view)})
    for view in VIEWS:
        execute(f"DROP VIEW bi.{view}")
    grant(*TIMES)


def added(view: str) -> tuple[str, ...]:
    return ("local_day", "published_at") if view in MORE else ("local_day",)


def execute(statement: str) -> None:
    """As it stands: a colon in it is no parameter."""
    op.get_bind().exec_driver_sql(statement)


def query_of(view: str) -> str:
    query = op.get_bind().scalar(sa.text(f"SELECT pg_get_viewdef('bi.{view}'::regclass)"))  # noqa: S608  # our names
    return str(query).rstrip(";")


def comments_of(view: str) -> dict[str | None, str]:
    """The comments of its columns, and its own under None."""
    query = """
        SELECT a.attname, d.description FROM pg_description AS d
        LEFT JOIN pg_attribute AS a ON a.attrelid = d.objoid AND a.attnum = d.objsubid AND d.objsubid > 0
        WHERE d.objoid = 'bi.{}'::regclass AND d.classoid = 'pg_class'::regclass
    """
    return {name: about for name, about in op.get_bind().execute(sa.text(query.format(view)))}


def describe(view: str, columns: dict[str, str]) -> None:
    for column, about in columns.items():
        execute(f"COMMENT ON COLUMN bi.{view}.{column} IS {quoted(about)}")


def grant(*views: str) -> None:
    names = ", ".join(f"bi.{view}" for view in views)
    execute(f"""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'opinion_bi') THEN
                GRANT SELECT ON {names} TO opinion_bi;
            END IF;
        END $$
    """)


def quoted(comment: str) -> str:
    return "'" + comment.replace("'", "''") + "'"
