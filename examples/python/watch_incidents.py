"""Prints changes of incidents, with an event loop: python watch_incidents.py http://127.0.0.1:8080"""

import asyncio
import sys

from opinion_client import AsyncConsole


async def main() -> None:
    async for event in AsyncConsole(sys.argv[1]).incidents(start="start"):
        print(event.incident_id, event.status, event.severity, event.labels, flush=True)


asyncio.run(main())
