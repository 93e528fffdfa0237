"""What does HTTP cost beside writing to Kafka oneself?

    python -m benchmarks.push [--documents 20000] [--batch 500] [--senders 4]

The same documents of a few hundred bytes go onto the same topic of the same embedded Kafka, in turns, until the
broker has acknowledged them:

- push: `senders` threads POST arrays of `batch` documents to one `opinion web` process, which checks each as a worker
  would and hands the bytes to aiokafka;
- plain: one kafka-python producer in this process, JSON encoded, acks=all, nothing checked; what most crawlers do.

Prints documents/s of each round and the median ratio; writes var/bench/push.json.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import httpx
from kafka import KafkaProducer

from core.children import free_port
from core.settings import KafkaSettings
from storage import api_tokens, migrate
from storage.engine import connect
from storage.local import EmbeddedPostgres
from streams import topics
from streams.local import EmbeddedKafka
from tests.support.servers import JARS
from tests.support.waiting import wait_for

ROUNDS = 5
Documents = list[dict[str, str]]


def make_documents(name: str, count: int) -> Documents:
    text = "奶茶喝完肚子疼，这家店的卫生真的太差了，再也不会去了。"
    return [
        {
            "id": f"{name}:{n}",
            "source": "forum",
            "text": text * (1 + n % 4),
            "published_at": "2026-03-01T20:15:00+08:00",
        }
        for n in range(count)
    ]


def push(client: httpx.Client, documents: Documents, batch: int, senders: int) -> float:
    bodies = [json.dumps(documents[n : n + batch]).encode() for n in range(0, len(documents), batch)]
    started = time.perf_counter()
    with ThreadPoolExecutor(senders) as pool:
        for answer in pool.map(lambda body: client.post("/api/v1/documents", content=body), bodies):
            assert answer.status_code == 202, answer.text
    return len(documents) / (time.perf_counter() - started)


def plain(producer: KafkaProducer, documents: Documents) -> float:
    started = time.perf_counter()
    sent = [
        producer.send(topics.RAW, key=one["id"].encode(), value=json.dumps(one, ensure_ascii=False).encode())
        for one in documents
    ]
    producer.flush()
    for future in sent:
        future.get(30)
    return len(documents) / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--senders", type=int, default=4)
    arguments = parser.parse_args()
    figures: dict[str, list[float]] = {"push": [], "plain": []}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        home.chmod(0o755)  # PostgreSQL may run as another account
        with EmbeddedKafka(home, jars=JARS) as kafka, EmbeddedPostgres(home) as postgres:
            assert kafka.bootstrap
            assert postgres.url
            migrate.upgrade(postgres.url)
            topics.apply(kafka.bootstrap, KafkaSettings())
            engine = connect(postgres.url)
            with engine.begin() as connection:
                _, token = api_tokens.create(connection, "benchmark", api_tokens.SCOPES)
            engine.dispose()
            port = free_port()
            addresses = {"OPINION_KAFKA_BOOTSTRAP": kafka.bootstrap, "OPINION_DATABASE_URL": postgres.url}
            web = subprocess.Popen(
                [sys.executable, "-m", "opinion.cli", "web", "--port", str(port)], env={**os.environ, **addresses}
            )
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            producer = KafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all", linger_ms=20, batch_size=131_072)
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
                wait_for(lambda: client.get("/healthz").is_success, 60, "the console")
                push(client, make_documents("warm", 500), arguments.batch, 1)
                for nth in range(ROUNDS):
                    documents = make_documents(f"push{nth}", arguments.documents)
                    figures["push"].append(push(client, documents, arguments.batch, arguments.senders))
                    figures["plain"].append(plain(producer, make_documents(f"plain{nth}", arguments.documents)))
            producer.close()
            web.terminate()
            web.wait(30)
    ratio = median(a / b for a, b in zip(figures["push"], figures["plain"], strict=True))
    for name, values in figures.items():
        print(f"{name:8}" + "".join(f"{value:10.0f}" for value in values) + "  documents/s")
    print(f"push / plain, median of {ROUNDS} rounds: {ratio:.2f}")
    out = Path("var/bench/push.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    chosen = {"documents": arguments.documents, "batch": arguments.batch, "senders": arguments.senders}
    out.write_text(json.dumps({**chosen, "ratio": ratio, **figures}, indent=1))


if __name__ == "__main__":
    main()
