"""Faust, one document at a time."""

import os

import faust
import psycopg
from transformers import pipeline

app = faust.App("faust-one", broker=f"kafka://{os.environ['KAFKA']}")
documents = app.topic(os.environ["TOPIC"])
classify = pipeline("text-classification", model=os.environ["CHECKPOINT"])
database = psycopg.connect(os.environ["DATABASE"], autocommit=True)


@app.agent(documents)
async def label(stream):
    async for document in stream:
        [answer] = classify(document["text"])
        database.execute(
            "INSERT INTO verdict VALUES (%s, %s, %s)", (document["id"], answer["label"], answer["score"])
        )
