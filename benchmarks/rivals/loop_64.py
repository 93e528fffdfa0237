"""A consumer loop, 64 documents at a time, sorted by length."""

import json
import os

import psycopg
from kafka import KafkaConsumer
from transformers import pipeline

consumer = KafkaConsumer(
    os.environ["TOPIC"],
    bootstrap_servers=os.environ["KAFKA"],
    group_id="loop-64",
    auto_offset_reset="earliest",
    enable_auto_commit=False,
    value_deserializer=json.loads,
)
classify = pipeline("text-classification", model=os.environ["CHECKPOINT"], batch_size=16)
database = psycopg.connect(os.environ["DATABASE"])

while True:
    records = consumer.poll(timeout_ms=500, max_records=64)
    documents = [record.value for partition in records.values() for record in partition]
    if not documents:
        continue
    documents.sort(key=lambda document: len(document["text"]))
    answers = classify([document["text"] for document in documents])
    rows = [(document["id"], a["label"], a["score"]) for document, a in zip(documents, answers, strict=True)]
    with database.transaction(), database.cursor() as cursor:
        cursor.executemany("INSERT INTO verdict VALUES (%s, %s, %s)", rows)
    consumer.commit()
