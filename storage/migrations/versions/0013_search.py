"""text is searched by pairs of characters; comments are read with their article

Goes before the code. The functions only compute; the search job makes the indexes that use them, on partitions, and
until then a search reads the texts. A function that indexes use is never changed in place: what it made before would
no longer be found.
"""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# As `core.folding` does it, except that white space and, in plain texts, full-width punctuation stay as they are:
# neither is looked up. Plain are the characters that fold to themselves or are ASCII letters. What `lower` does beyond
# ASCII depends on the collation, and casefold does more for Greek, Cherokee and a few others.
CASED = [chr(code) for code in (0x3C2, *range(0x13F8, 0x13FE), *range(0x1C80, 0x1C89), *range(0xAB70, 0xABC0))]
FOLDED = [unicodedata.normalize("NFKC", character.casefold()) for character in CASED]
PLAIN = (
    r"\t\n\r\x20-\x7e\u2013-\u2016\u2018-\u201f\u3001-\u3029\u4e00-\u9fff"
    r"\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff5e\U0001f300-\U0001f9ff"
)
SEARCH_FOLD = """
    CREATE FUNCTION search_fold(title text, body text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 20 AS $function$
    DECLARE
        folded text := CASE WHEN title IS NULL THEN body ELSE title || E'\\n' || body END;
    BEGIN
        IF folded !~ '[^{plain}]' THEN
            RETURN lower(folded COLLATE "C");
        END IF;
        folded := replace(replace(replace(normalize(folded, NFKC), U&'\\00DF', 'ss'), U&'\\1E9E', 'ss'),
                          U&'\\0130', U&'i\\0307');
        folded := lower(folded COLLATE {collation});
        IF folded ~ '[\\u0345\\u1f80-\\u1fff]' THEN
            folded := replace(normalize(folded, NFD), U&'\\0345', U&'\\03B9');
        END IF;
        IF folded ~ '[\\u03c2\\u13f8-\\u13fd\\u1c80-\\u1c88\\uab70-\\uabbf]' THEN
            folded := translate(folded, '{cased}', '{folded}');
        END IF;
        RETURN normalize(folded, NFKC);
    END
    $function$
"""
# `storage.search_terms` cuts queries the same way. A text of more than 100,000 characters is cut, and carries a
# mark under which every search finds it.
SEARCH_VECTOR = r"""
    CREATE FUNCTION search_vector(title text, body text) RETURNS tsvector
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 10000 AS $function$
    DECLARE
        folded text := public.search_fold(title, body);
        is_long boolean := length(folded) > 100000;
        one text[];
    BEGIN
        folded := left(folded, 100000);
        one := string_to_array(
            regexp_replace(folded, '[\x01-\x7f\u0080-\u00a0\u2000-\u206f\u3000-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]+',
                           ' ', 'g'), NULL);
        RETURN array_to_tsvector(
            ARRAY(SELECT c || CASE WHEN d <> ' ' THEN d ELSE '' END FROM unnest(one, one[2:]) AS pair(c, d)
                  WHERE c <> ' ')
            || ARRAY(SELECT left(word[1], 64) FROM regexp_matches(folded, '[a-z0-9_]+', 'g') AS word)
            || CASE WHEN is_long THEN ARRAY['-'] ELSE ARRAY[]::text[] END);
    END
    $function$
"""  # noqa: E501  # a regular expression
FUNCTIONS = {
    "search_fold": "Title and text as search compares them: NFKC, case folded.",
    "search_vector": "What search looks up: words of ASCII letters and digits, and pairs of other characters.",
}

ARTICLE = {
    "article_id": "id of the document this one comments on; null when it is no comment",
    "article_title": "title of that document; null until it is stored",
    "article_source": "source of that document",
    "article_url": "address of that document",
    "article_published_at": "event time of that document, UTC",
}
FIND_ARTICLE = """
    LEFT JOIN public.document_key AS k ON k.id = d.parent_id
    LEFT JOIN public.document AS a ON a.published_at = k.published_at AND a.id = k.id
"""
ARTICLE_COLUMNS = (
    "a.title AS article_title, a.source AS article_source, a.url AS article_url, "
    "a.published_at AS article_published_at"
)
MENTION = """
    SELECT m.watchlist, m.document_id, m.published_at, d.kind, d.source, d.lang, d.url, d.title, d.parent_id,
           d.topic_label, m.mentions, m.sentiment, m.score_negative, m.score_neutral, m.score_positive,
           m.sentiment_uncertain, d.sentiment AS document_sentiment, m.model_version {more}
    FROM public.mention AS m
    JOIN public.document AS d ON d.published_at = m.published_at AND d.id = m.document_id
    {joins}
"""
MENTION_COMMENT = (
    "One row per document and watchlist it mentions, with the sentiment toward that watchlist. Give a watchlist and "
    "a range of published_at."
)
MENTION_COLUMNS = {  # as in 0007
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
COMMENT = f"""
    SELECT d.id, d.published_at, d.source, d.lang, d.url, d.text, d.likes, d.replies, d.topic_label, d.sentiment,
           d.score_negative, d.score_neutral, d.score_positive, d.sentiment_uncertain, d.model_version,
           d.parent_id AS article_id, {ARTICLE_COLUMNS},
           a.topic_label AS article_topic_label, a.sentiment AS article_sentiment,
           ARRAY(SELECT m.watchlist FROM public.mention AS m
                 WHERE m.published_at = k.published_at AND m.document_id = k.id ORDER BY m.watchlist
                ) AS article_watchlists
    FROM public.document AS d {FIND_ARTICLE}
    WHERE d.parent_id IS NOT NULL
"""  # noqa: S608  # our own column names
COMMENT_COMMENT = (
    "One row per document that comments on another, with what is stored of that other one now, whichever of the two "
    "came first. Give a range of published_at or an article_id."
)
COMMENT_COLUMNS = {
    "id": "id in bi.document",
    "published_at": "event time of the comment, UTC",
    "sentiment": "negative, neutral or positive: the highest score; judged from the comment alone",
    "score_negative": "calibrated probability; the three sum to 1",
    **ARTICLE,
    "article_topic_label": "what the classifier says the article is about",
    "article_sentiment": "sentiment of the article as a whole",
    "article_watchlists": "watchlists that the article mentions, whether the comment names them or not; they count "
    "in bi.mention for the article alone",
}


def upgrade() -> None:
    names = {"plain": PLAIN, "cased": "".join(CASED), "folded": "".join(FOLDED), "collation": _unicode_collation()}
    for statement in (SEARCH_FOLD.format(**names), SEARCH_VECTOR):
        op.execute(statement.replace(":", r"\:"))
    for name, about in FUNCTIONS.items():
        op.execute(f"COMMENT ON FUNCTION {name}(text, text) IS {_quoted(about)}")
    op.execute(
        "CREATE OR REPLACE VIEW bi.mention AS "
        + MENTION.format(more=f", {ARTICLE_COLUMNS}", joins=FIND_ARTICLE)
    )
    _describe("mention", None, {key: ARTICLE[key] for key in ARTICLE if key != "article_id"})
    op.execute(f"CREATE VIEW bi.comment AS {COMMENT}".replace(":", r"\:"))
    _describe("comment", COMMENT_COMMENT, COMMENT_COLUMNS)
    _grant("comment")


def downgrade() -> None:
    op.execute("DROP VIEW bi.comment")
    op.execute("DROP VIEW bi.mention")
    op.execute(f"CREATE VIEW bi.mention AS {MENTION.format(more='', joins='')}")
    _describe("mention", MENTION_COMMENT, MENTION_COLUMNS)
    _grant("mention")
    op.execute("DROP FUNCTION search_vector(text, text) CASCADE")  # with the indexes
    op.execute("DROP FUNCTION search_fold(text, text)")


def _unicode_collation() -> str:
    """One whose `lower` knows all of Unicode; the database's own may know ASCII alone."""
    known = op.get_bind().scalars(
        sa.text("SELECT collname FROM pg_collation WHERE collname IN ('pg_c_utf8', 'und-x-icu', 'C.utf8')")
    )
    best = max(known, key=["C.utf8", "und-x-icu", "pg_c_utf8"].index, default="default")
    return f'pg_catalog."{best}"'


def _describe(view: str, comment: str | None, columns: dict[str, str]) -> None:
    if comment:
        op.execute(f"COMMENT ON VIEW bi.{view} IS {_quoted(comment)}")
    for column, about in columns.items():
        op.execute(f"COMMENT ON COLUMN bi.{view}.{column} IS {_quoted(about)}")


def _grant(view: str) -> None:
    op.execute(f"""
        DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'opinion_bi') THEN
                GRANT SELECT ON bi.{view} TO opinion_bi;
            END IF;
        END $$
    """)


def _quoted(comment: str) -> str:
    return "'" + comment.replace("'", "''") + "'"
