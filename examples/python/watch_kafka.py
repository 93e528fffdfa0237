"""Counts documents by topic and sentiment: python watch_kafka.py localhost:9092 [TOPIC_PREFIX]"""

import sys
from collections import Counter

from opinion_client import Kafka

counts: Counter[tuple[str, str]] = Counter()
for document in Kafka(sys.argv[1], group="topic-counts", topic_prefix="".join(sys.argv[2:])).documents():
    counts[document.topic_label, document.sentiment] += 1
    print(document.topic_label, document.sentiment, counts[document.topic_label, document.sentiment], flush=True)
