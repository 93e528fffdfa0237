"""A member of the workers' group that takes partitions, reads them and never acknowledges: `faust -A … worker`.

Stopped, it leaves partitions behind that nobody has ever committed. It starts in a second, being without a model.
"""

from typing import Any

import faust

from core.settings import load_settings
from streams import topics

settings = load_settings()
assert settings.kafka_bootstrap
app = faust.App(
    settings.group,
    broker=f"kafka://{settings.kafka_bootstrap}",
    datadir=settings.home / "idle",
    value_serializer="raw",
    stream_wait_empty=False,
)
app.boot_strategy.enable_web = False


@app.agent(app.topic(settings.kafka.topic_prefix + topics.RAW))  # type: ignore[untyped-decorator]
async def keep(stream: Any) -> None:
    """Hold on to every record."""
    async for _ in stream.noack():
        pass
