"""Pathway."""

import json
import os

import pathway as pw
from psycopg.conninfo import conninfo_to_dict
from transformers import pipeline

classify = pipeline("text-classification", model=os.environ["CHECKPOINT"], batch_size=16)


@pw.udf(max_batch_size=64)
def label(values: list[bytes]) -> list[tuple[str, str, float]]:
    documents = [json.loads(value) for value in values]
    order = sorted(range(len(documents)), key=lambda n: len(documents[n]["text"]))
    answers = classify([documents[n]["text"] for n in order])
    found = dict(zip(order, answers, strict=True))
    return [(d["id"], found[n]["label"], found[n]["score"]) for n, d in enumerate(documents)]


documents = pw.io.kafka.read(
    {"bootstrap.servers": os.environ["KAFKA"], "group.id": "pathway", "auto.offset.reset": "earliest"},
    topic=os.environ["TOPIC"],
    format="raw",
    autocommit_duration_ms=200,
)
verdicts = documents.select(verdict=label(pw.this.data))
verdicts = verdicts.select(document_id=pw.this.verdict[0], label=pw.this.verdict[1], score=pw.this.verdict[2])
pw.io.postgres.write(verdicts, conninfo_to_dict(os.environ["DATABASE"]), "verdict")
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
