"""How fast is `opinion export`, and how much memory does it take?

    python -m benchmarks.exports [--home var/ten-million] [--rows 100000 --rows 1000000]

Of the documents that `benchmarks.ten_million load` has stored under --home: so many rows of bi.document in each
format, each in a process of its own, and beside it, in the same run, COPY of the same query, thrown away. Prints
rows/s, the share of COPY's, peak memory; writes var/bench/exports.json.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

from storage.engine import database_url
from storage.local import EmbeddedPostgres

FORMATS: Final = ("csv", "jsonl", "parquet")
COPY: Final = sql.SQL("COPY (SELECT * FROM bi.document WHERE published_at < {}) TO STDOUT")


def end_of(connection: psycopg.Connection[Any], rows: int) -> Any:
    """When the first so many documents had been published."""
    found = connection.execute(
        "SELECT bucket_at FROM (SELECT bucket_at, sum(sum(total)) OVER (ORDER BY bucket_at) AS documents "
        "FROM opinion_minute WHERE bucket_at >= (SELECT min(published_at) FROM document) GROUP BY 1) AS m "
        "WHERE documents >= %s ORDER BY 1 LIMIT 1",
        [rows],
    ).fetchone()
    if found is None:
        sys.exit(f"there are no {rows:,} documents; run python -m benchmarks.ten_million load")
    return found[0] + timedelta(minutes=1)


def copied(connection: psycopg.Connection[Any], end: Any) -> tuple[int, float]:
    """Rows and seconds of COPY."""
    started, rows = time.perf_counter(), 0
    with connection.cursor() as cursor, cursor.copy(COPY.format(sql.Literal(end))) as copy:
        for _ in copy:
            rows += 1
    return rows, time.perf_counter() - started


def exported(url: str, end: Any, format_: str) -> dict[str, Any]:
    """What the command says, with its peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "opinion.cli", "export", "document", "--json", "--to", end.isoformat()]
        environment: Mapping[str, str] = {**os.environ, "OPINION_DATABASE_URL": url}
        process = subprocess.Popen(
            [*command, "--out", f"{folder}/all.{format_}"], env=environment, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"the export ended with {process.returncode}")
        return {**json.loads(printed), "peak_mib": round(usage.ru_maxrss / 1024, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path("var/ten-million"))
    parser.add_argument("--rows", type=int, action="append")
    arguments = parser.parse_args()
    found: list[dict[str, Any]] = []
    with EmbeddedPostgres(arguments.home) as postgres:
        assert postgres.url
        plain = database_url(postgres.url).set(drivername="postgresql").render_as_string(hide_password=False)
        for rows in arguments.rows or [100_000, 1_000_000]:
            with psycopg.connect(plain) as connection:
                end = end_of(connection, rows)
                copy_rows, copy_seconds = copied(connection, end)
                for format_ in FORMATS:
                    one = exported(postgres.url, end, format_)
                    one["rows_per_second"] = round(one["rows"] / one["seconds"])
                    one["share_of_copy"] = round(one["rows_per_second"] / (copy_rows / copy_seconds), 2)
                    found.append(one)
                    print(
                        f"{format_:8} {one['rows']:>10,} rows {one['rows_per_second']:>9,} rows/s, "
                        f"{one['share_of_copy']:.2f} of COPY, {one['peak_mib']} MiB, {one['bytes']:,} bytes",
                        flush=True,
                    )
    out = Path("var/bench/exports.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
