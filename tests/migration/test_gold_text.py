"""What was held out before there was a gold set becomes the gold set."""

import hashlib

import psycopg

from storage import migrate


def test_what_the_last_run_held_out_is_kept(empty_database_url: str) -> None:
    """In the order of their first answers, the texts after those that some run was trained on, as far as the last
    judged run had seen; what came later is left for the next run to part."""
    migrate.upgrade(empty_database_url, "0019")
    with psycopg.connect(empty_database_url) as connection:
        for nth in range(12):
            connection.execute(
                "INSERT INTO human_label (label_key, text, lang, source, head, answer, annotator, labelled_at,"
                " recorded_at) VALUES (%s, %s, 'zh', 's', 'topic', 'sports', 'li', now(),"
                " '2026-05-01'::timestamptz + %s * interval '1 day')",
                (str(nth).encode(), f"Text  {nth}", nth),
            )
        for last, trained, dev in ((6, 3, 1), (10, 5, 2)):
            connection.execute(
                "INSERT INTO training_run (champion, candidate, last_label_id, metrics) VALUES ('a', 'b', %s,"
                " jsonb_build_object('rows', jsonb_build_object('labels', %s::int, 'dev labels', %s::int)))",
                (last, trained, dev),
            )
        connection.execute("INSERT INTO training_run (champion, last_label_id) VALUES ('a', 12)")
    migrate.upgrade(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        found = {
            bytes(row[0]) for row in connection.execute("SELECT text_hash FROM gold_text WHERE origin = 'earlier'")
        }
    assert found == {hashlib.sha256(f"text {nth}".encode()).digest() for nth in (7, 8, 9)}
