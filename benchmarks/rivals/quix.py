"""Quix Streams with its own PostgreSQL sink."""

import os

from psycopg.conninfo import conninfo_to_dict
from quixstreams import Application
from quixstreams.sinks.community.postgresql import PostgreSQLSink
from transformers import pipeline

classify = pipeline("text-classification", model=os.environ["CHECKPOINT"])
database = conninfo_to_dict(os.environ["DATABASE"])
app = Application(os.environ["KAFKA"], consumer_group="quix", auto_offset_reset="earliest", commit_interval=0.5)


def label(document):
    [answer] = classify(document["text"])
    return {"id": document["id"], **answer}


documents = app.dataframe(app.topic(os.environ["TOPIC"], value_deserializer="json"))
documents.apply(label).sink(PostgreSQLSink(**database, table_name="verdict", include_metadata=False))
app.run()
