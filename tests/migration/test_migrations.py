import psycopg
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from storage import migrate
from storage.engine import connect
from storage.tables import metadata


def test_migrations_make_the_tables_the_code_uses(database_url):
    """`storage.tables` and the migrations describe the same schema."""
    engine = connect(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_down_and_up_again(empty_database_url):
    """Every step can be taken back and done again."""
    migrate.upgrade(empty_database_url)
    migrate.downgrade(empty_database_url, "base")
    with psycopg.connect(empty_database_url) as connection:
        left = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert left == [("alembic_version",)]
    migrate.upgrade(empty_database_url)
    current, newest = migrate.revisions(empty_database_url)
    assert current == newest


def test_every_view_and_its_columns_are_documented(database_url):
    """What dashboards rely on says what it means: each view of `bi` has a comment."""
    with psycopg.connect(database_url) as connection:
        bare = connection.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = 'bi' AND c.relkind = 'v' AND obj_description(c.oid) IS NULL"
        ).fetchall()
    assert bare == []


def test_reading_role_sees_the_views_and_nothing_else(database_url):
    """A dashboard's account can read `bi` and cannot touch the tables."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET ROLE opinion_bi")
        connection.execute("SELECT count(*) FROM bi.sentiment_hour")
        for statement in ("SELECT 1 FROM document", "DELETE FROM bi.alert", "SELECT 1 FROM human_label"):
            try:
                connection.execute(statement)
            except psycopg.errors.InsufficientPrivilege:
                continue
            raise AssertionError(f"opinion_bi may run: {statement}")
