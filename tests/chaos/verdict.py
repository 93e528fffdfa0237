"""The verdict on a run, counted: what was produced against what SQL, the topics and the receiver have."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, text

from storage.audit import audit
from streams.dead_letters import read_error_headers
from tests.chaos.stream import Expected, digest
from tests.support.reading import read_topic

SHOWN = 5


@dataclass
class Verdict:
    """What is wrong, in numbers; a run without a fault of ours has zeros and trues.

    Attributes:
        lost: document versions and dead letters that were produced and are nowhere.
        doubled: rows, versions or counts that are there more than once, or that nobody produced.
        repeated_publishes: deliveries on the classified and dead-letter topics beyond the first; consumers drop
            them by `ce_id` and origin, so they are told and not counted as faults.
        notes: examples of whatever is wrong.
    """

    lost: int = 0
    doubled: int = 0
    holes: int = 0
    count_differences: int = 0
    classified_missing: int = 0
    dead_letters_ok: bool = False
    incidents_equal: bool = False
    incidents: int = 0
    notifications_ok: bool = False
    notifications: int = 0
    repeated_publishes: int = 0
    repeated_dead_letters: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        bad = self.lost or self.doubled or self.holes or self.count_differences or self.classified_missing
        return not bad and self.dead_letters_ok and self.incidents_equal and self.notifications_ok

    def note(self, what: str, examples: Any) -> None:
        found = list(examples)
        if found:
            self.notes.append(f"{what}: {len(found)}, e.g. {sorted(map(str, found))[:SHOWN]}")


def judge_rows(verdict: Verdict, engine: Engine, expected: Expected) -> None:
    """Every version of every document once, with its own text; nothing else."""
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT id, revision, text FROM document UNION ALL SELECT id, revision, text FROM document_revision")
        ).all()
    seen = Counter((row.id, row.revision) for row in rows)
    texts = {(row.id, row.revision): row.text for row in rows}
    wanted = {(name, n): said for name, versions in expected.versions.items() for n, said in enumerate(versions)}
    lost = [key for key, said in wanted.items() if texts.get(key) != said]
    surplus = [key for key in seen if key not in wanted] + [key for key, times in seen.items() if times > 1]
    verdict.lost += len(lost)
    verdict.doubled += len(surplus)
    verdict.note("versions lost", lost)
    verdict.note("versions doubled", surplus)


def judge_counts(verdict: Verdict, engine: Engine, expected: Expected, raw_topic: str) -> None:
    """The ledger without a hole, the minute counts equal to the rows and to what was produced."""
    with engine.connect() as connection:
        report = audit(connection, raw_topic, {})
        total = connection.scalar(text("SELECT coalesce(sum(total), 0) FROM opinion_minute")) or 0
    verdict.holes += len(report.holes)
    verdict.count_differences += len(report.differences)
    surplus = int(total) - len(expected.versions)
    verdict.doubled += max(0, surplus)
    verdict.lost += max(0, -surplus)
    verdict.note("holes", report.holes)
    verdict.note("counts that are not the rows'", report.differences)
    if surplus:
        verdict.notes.append(f"minute counts sum to {total}, {len(expected.versions)} documents were produced")


def judge_classified(verdict: Verdict, bootstrap: str, topic: str, expected: Expected) -> None:
    """A read-committed consumer that drops known `ce_id`s sees each version exactly once."""
    seen: Counter[str] = Counter()
    for record in read_topic(bootstrap, topic):
        seen[dict(record.headers)["ce_id"].decode()] += 1
    missing, unknown = expected.ce_ids - set(seen), set(seen) - expected.ce_ids
    verdict.classified_missing += len(missing)
    verdict.doubled += len(unknown)
    verdict.repeated_publishes = sum(seen.values()) - len(seen)
    verdict.note("versions not on the classified topic", missing)
    verdict.note("unknown versions on the classified topic", unknown)


def judge_dead_letters(verdict: Verdict, bootstrap: str, topic: str, expected: Expected) -> None:
    """Every poison record once, by its origin, with its bytes untouched; nothing else."""
    by_origin: dict[tuple[str, str], Any] = {}
    count = 0
    for record in read_topic(bootstrap, topic):
        error = read_error_headers(record.headers)
        by_origin[error["partition"], error["offset"]] = (record.key, digest(record.value))
        count += 1
    found = Counter(by_origin.values())
    wanted = Counter(expected.poison.items())
    missing, surplus = wanted - found, found - wanted
    verdict.lost += missing.total()
    verdict.dead_letters_ok = not missing and not surplus
    verdict.repeated_dead_letters = count - len(by_origin)
    verdict.note("poison not dead-lettered", (f"{key!r} {expected.kinds[key]}" for key, _ in missing))
    verdict.note("dead letters that nobody poisoned, or changed", (key for key, _ in surplus))


INCIDENTS = """
    SELECT rule, labels, severity, status, starts_at, ends_at, detected_at, last_fired_at,
           round(observed::numeric, 6) AS observed, round(expected::numeric, 6) AS expected,
           round(score::numeric, 6) AS score
    FROM incident WHERE labels->>'alertname' = 'NegativeSurge' ORDER BY starts_at, fingerprint
"""


def incidents(engine: Engine) -> list[dict[str, Any]]:
    """All that an incident says in event time; ids and wall-clock times are each run's own."""
    with engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(text(INCIDENTS))]


def judge_incidents(verdict: Verdict, engine: Engine, undisturbed: list[dict[str, Any]]) -> None:
    """The same incidents as the undisturbed run of the same seed."""
    found = incidents(engine)
    verdict.incidents = len(found)
    verdict.incidents_equal = found == undisturbed
    verdict.note("incidents that only this run has", (one for one in found if one not in undisturbed))
    verdict.note("incidents that this run lacks", (one for one in undisturbed if one not in found))


def judge_notifications(verdict: Verdict, engine: Engine, received: Counter[str]) -> None:
    """Every notification of the outbox delivered at least once under its stable id, and nothing unknown."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT delivery_id, channel, status FROM notification")).all()
        silent = connection.execute(
            text("SELECT id FROM incident i WHERE NOT EXISTS (SELECT FROM notification WHERE incident_id = i.id)")
        ).all()
    undelivered = [row.delivery_id for row in rows if row.status != "delivered"]
    webhooks = {row.delivery_id for row in rows if row.channel == "webhook"}
    missing, unknown = webhooks - set(received), set(received) - webhooks
    verdict.notifications = len(rows)
    verdict.notifications_ok = not (undelivered or missing or unknown or silent)
    verdict.note("notifications not delivered", undelivered)
    verdict.note("notifications the receiver never saw", missing)
    verdict.note("deliveries nobody knows of", unknown)
    verdict.note("incidents nobody was told of", silent)


def judge_naive(verdict: Verdict, engine: Engine, expected: Expected) -> None:
    """The naive agent's table: an id that is not there is lost, one that is there too often is doubled.

    It is judged mildly: repeats and revisions may leave as many rows as records were produced for the id.
    """
    with engine.connect() as connection:
        rows = Counter(connection.execute(text("SELECT id FROM naive_document")).scalars())
    produced = expected.produced
    lost = [name for name in expected.versions if not rows[name]]
    verdict.lost += len(lost)
    verdict.doubled += sum(max(0, rows[name] - produced[name]) for name in expected.versions)
    verdict.note("documents lost", lost)
