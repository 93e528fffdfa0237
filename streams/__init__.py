"""Kafka: topics, the Faust worker, and what puts records in.

In: raw documents; out: rows in SQL, classified documents, dead letters. Guarantee: a record ends stored,
repeated, revised or dead-lettered, never lost; in SQL once in effect, on topics at least once with a stable
`ce_id`. May import `alerts`, `models`, `storage`, `core`; steps do not import each other.
"""
