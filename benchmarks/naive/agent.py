"""A Faust agent as its user would write it in an afternoon, in batches. It loses, doubles and stalls; see README.md.

python -m faust -A benchmarks.naive.agent worker -l warn
"""

import asyncio
from typing import Any

from benchmarks.naive import parts
from core.settings import load_settings

settings = load_settings()
app, raw_topic, classified_topic = parts.open_app(settings)
engine = parts.open_database(settings)
classifier = parts.open_classifier(settings)


@app.agent(raw_topic)  # type: ignore[untyped-decorator]
async def opinion(stream: Any) -> None:
    """JSON documents in; rows and classified documents out."""
    async for batch in stream.take(64, within=0.5):
        opinions = await asyncio.to_thread(classifier.classify, [document["text"] for document in batch])
        rows = [parts.classified(*pair) for pair in zip(batch, opinions, strict=True)]
        await asyncio.to_thread(parts.insert, engine, rows)
        for row in rows:
            await classified_topic.send(key=row["id"], value=row)
