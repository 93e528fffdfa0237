"""What has to be true of documents and the clusters they are in, as a query over a slice of `storage.row_audit`.

Whether two texts are copies is not asked again: that lies in the texts alone (`core.copies`).
"""

from typing import Final

from sqlalchemy import text

_OF_NODE: Final = """
    FROM document AS e
    WHERE e.copy_text = t.id AND e.published_at >= CAST(t.day AS timestamp) AT TIME ZONE 'UTC'
      AND e.published_at < CAST(t.day + 1 AS timestamp) AT TIME ZONE 'UTC'
"""

# Sums are made once, at the first document of a text and of a cluster; the others only look up their own two rows.
BROKEN_CLUSTERS: Final = text(f"""
    SELECT 'cluster_broken' AS kind, id, published_at, detail FROM (
        SELECT d.id, d.published_at, CASE
            WHEN t.id IS NULL THEN 'its text is not in copy_text'
            WHEN t.first_at IS NULL OR (t.first_at, t.first_id) > (d.published_at, d.id)
                THEN 'it is earlier than the first of its text, ' || coalesce(t.first_id, 'nobody')
            WHEN t.cluster IS NULL AND t.documents <> 1 THEN t.documents || ' of one text without a cluster'
            WHEN t.cluster IS NOT NULL AND c.id IS NULL THEN 'its cluster is not in copy_cluster'
            WHEN (c.first_at, c.first_id) > (d.published_at, d.id)
                THEN 'it is earlier than the earliest of its cluster, ' || c.first_id
            WHEN t.follows AND c.id IS NULL THEN 'it follows a copy, and has no cluster'
            WHEN t.follows AND (c.first_at, c.first_id) = (d.published_at, d.id)
                THEN 'it follows a copy, and is the earliest of its cluster'
            WHEN (t.first_at, t.first_id) = (d.published_at, d.id)
                 AND t.documents <> (SELECT count(*) {_OF_NODE})
                THEN 'its text has ' || t.documents || ' documents by count, ' || (SELECT count(*) {_OF_NODE})
                     || ' by rows'
            WHEN (c.first_at, c.first_id) = (d.published_at, d.id)
                 AND c.documents <> (SELECT sum(documents) FROM copy_text WHERE cluster = c.id)
                THEN 'its cluster has ' || c.documents || ' documents, its texts '
                     || (SELECT sum(documents) FROM copy_text WHERE cluster = c.id)
        END AS detail
        FROM document AS d
        LEFT JOIN LATERAL (SELECT * FROM copy_text WHERE id = d.copy_text LIMIT 1) AS t ON true
        LEFT JOIN LATERAL (SELECT * FROM copy_cluster WHERE id = t.cluster LIMIT 1) AS c ON true
        WHERE d.published_at >= :begin AND d.published_at < :end AND d.copy_text IS NOT NULL
    ) AS looked_at
    WHERE detail IS NOT NULL
    ORDER BY published_at, id LIMIT :most
""")  # noqa: S608  # our own words
