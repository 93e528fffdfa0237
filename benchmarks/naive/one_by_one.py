"""The naive agent without batches: one document at a time.

python -m faust -A benchmarks.naive.one_by_one worker -l warn
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
    async for document in stream:
        [found] = await asyncio.to_thread(classifier.classify, [document["text"]])
        row = parts.classified(document, found)
        await asyncio.to_thread(parts.insert, engine, [row])
        await classified_topic.send(key=row["id"], value=row)
