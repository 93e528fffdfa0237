"""A consumer loop by somebody who cares: 256 documents sorted by their tokens, bfloat16, COPY, a client in C."""

import json
import os

import psycopg
import torch
from confluent_kafka import Consumer
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(os.environ["CHECKPOINT"])
model = AutoModelForSequenceClassification.from_pretrained(os.environ["CHECKPOINT"], dtype=torch.bfloat16).eval()
database = psycopg.connect(os.environ["DATABASE"])
consumer = Consumer(
    {
        "bootstrap.servers": os.environ["KAFKA"],
        "group.id": "loop-256",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
)
consumer.subscribe([os.environ["TOPIC"]])

with torch.inference_mode():
    while True:
        documents = [json.loads(message.value()) for message in consumer.consume(256, timeout=0.2)]
        if not documents:
            continue
        tokens = tokenizer([document["text"] for document in documents], truncation=True)["input_ids"]
        order = sorted(range(len(tokens)), key=lambda n: len(tokens[n]))
        with database.transaction(), database.cursor().copy("COPY verdict FROM STDIN") as copy:
            for start in range(0, len(order), 32):
                batch = order[start : start + 32]
                inputs = tokenizer.pad({"input_ids": [tokens[n] for n in batch]}, return_tensors="pt")
                scores, labels = model(**inputs).logits.softmax(-1).max(-1)
                for n, label, score in zip(batch, labels.tolist(), scores.tolist(), strict=True):
                    copy.write_row((documents[n]["id"], model.config.id2label[label], score))
        consumer.commit()
