"""retrain runs say what began them, what they learned from and how far they are; texts that are never trained on

Goes before the code. A retrain job of the version before neither reads nor writes any of it; a run that it makes
meanwhile may train on a text that is kept for judging from now on, so no run should be at work during the upgrade.
"""

import hashlib
import unicodedata

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

INSERT_ROWS = 2000


def upgrade() -> None:
    op.create_table(
        "gold_text",
        sa.Column("text_hash", sa.LargeBinary(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.CheckConstraint("origin IN ('share', 'random', 'earlier')", name=op.f("gold_text_origin_check")),
        sa.PrimaryKeyConstraint("text_hash", name=op.f("gold_text_pkey")),
        comment="Texts that models are judged by and that no model is ever trained on, whatever is answered later; "
        "origin: a share of a batch of labels, answers to a random sample, or held out before this table was there.",
    )
    op.add_column("training_run", sa.Column("trigger", sa.Text(), nullable=False, server_default=sa.text("'unknown'")))
    op.add_column("training_run", sa.Column("trigger_reason", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("training_run", sa.Column("snapshot_hash", sa.Text(), nullable=True))
    for name in ("snapshot", "progress"):
        column = sa.Column(name, JSONB(), nullable=False, server_default=sa.text("'{}'"))
        op.add_column("training_run", column)
    op.add_column("training_run", sa.Column("progress_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table_comment(
        "training_run",
        "Each run of the retrain job: what began it (trigger), what it learned from (snapshot), how far it is "
        "(progress), what came out, and why it was taken or not.",
        existing_comment="Each run of the retrain job: what it learned from, what came out, and why it was taken or "
        "not.",
    )
    _keep_what_was_never_trained_on()


def _keep_what_was_never_trained_on() -> None:
    """The texts that the last judged run held out were trained on by no run: texts were taken in the order of their
    first answers, and each run held out the newest ones."""
    connection = op.get_bind()
    trained, last_label = connection.execute(
        sa.text(
            "SELECT coalesce(max((metrics->'rows'->>'labels')::bigint + (metrics->'rows'->>'dev labels')::bigint), 0),"
            " coalesce(max(last_label_id), 0) FROM training_run WHERE candidate IS NOT NULL"
        )
    ).one()
    if not last_label:
        return
    first_answers: dict[bytes, object] = {}
    labels = sa.text("SELECT text, recorded_at FROM human_label WHERE id <= :last ORDER BY id")
    for text, recorded_at in connection.execute(labels, {"last": last_label}):
        normalised = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
        first_answers.setdefault(hashlib.sha256(normalised.encode("utf-8", "replace")).digest(), recorded_at)
    in_order = sorted(first_answers, key=lambda key: (first_answers[key], key))
    gold = [{"text_hash": key} for key in in_order[trained:]]
    insert = sa.text("INSERT INTO gold_text (text_hash, origin) VALUES (:text_hash, 'earlier')")
    for start in range(0, len(gold), INSERT_ROWS):
        connection.execute(insert, gold[start : start + INSERT_ROWS])


def downgrade() -> None:
    for column in ("progress_at", "progress", "snapshot", "snapshot_hash", "trigger_reason", "trigger"):
        op.drop_column("training_run", column)
    op.create_table_comment(
        "training_run",
        "Each run of the retrain job: what it learned from, what came out, and why it was taken or not.",
    )
    op.drop_table("gold_text")
