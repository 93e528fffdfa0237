"""Bytewax: `python -m bytewax.run benchmarks.rivals.bytewax_flow`."""

import json
import os
from datetime import timedelta

import bytewax.operators as op
import psycopg
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from transformers import pipeline

classify = pipeline("text-classification", model=os.environ["CHECKPOINT"], batch_size=16)


class Rows(StatelessSinkPartition):
    def __init__(self):
        self.database = psycopg.connect(os.environ["DATABASE"])

    def write_batch(self, items):
        with self.database.transaction(), self.database.cursor() as cursor:
            cursor.executemany("INSERT INTO verdict VALUES (%s, %s, %s)", [row for rows in items for row in rows])


class Verdicts(DynamicSink):
    def build(self, step_id, worker_index, worker_count):
        return Rows()


def label(batch):
    documents = sorted(batch[1], key=lambda document: len(document["text"]))
    answers = classify([document["text"] for document in documents])
    return [(document["id"], a["label"], a["score"]) for document, a in zip(documents, answers, strict=True)]


flow = Dataflow("verdicts")
source = kop.input("documents", flow, brokers=[os.environ["KAFKA"]], topics=[os.environ["TOPIC"]])
documents = op.map("decode", source.oks, lambda message: json.loads(message.value))
keyed = op.key_on("one key", documents, lambda _: "all")
batches = op.collect("batch", keyed, timeout=timedelta(seconds=0.5), max_size=64)
op.output("verdict", op.map("classify", batches, label), Verdicts())
