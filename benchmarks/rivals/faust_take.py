"""Faust, 64 documents at a time, as they come."""

import os

import faust
import psycopg
from transformers import pipeline

app = faust.App("faust-take", broker=f"kafka://{os.environ['KAFKA']}")
documents = app.topic(os.environ["TOPIC"])
classify = pipeline("text-classification", model=os.environ["CHECKPOINT"], batch_size=64)
database = psycopg.connect(os.environ["DATABASE"], autocommit=True)


@app.agent(documents)
async def label(stream):
    async for batch in stream.take(64, within=0.5):
        answers = classify([document["text"] for document in batch])
        rows = [(document["id"], a["label"], a["score"]) for document, a in zip(batch, answers, strict=True)]
        with database.transaction(), database.cursor() as cursor:
            cursor.executemany("INSERT INTO verdict VALUES (%s, %s, %s)", rows)
