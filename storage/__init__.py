"""PostgreSQL: tables, migrations, and one module per aggregate.

In: plain values and a SQLAlchemy connection; out: rows. A function that takes a `Connection` runs in its
caller's transaction and never commits. May import `core` only.
"""
