"""Prints negative documents as they come: python watch_console.py http://127.0.0.1:8080"""

import sys

from opinion_client import Console

for document in Console(sys.argv[1]).documents(sentiment="negative", cursor_file="negative.cursor"):
    print(document.published_at, document.source, document.topic_label, document.text[:80], flush=True)
