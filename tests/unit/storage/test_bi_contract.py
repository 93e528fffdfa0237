"""What counts as breaking the contract of schema `bi`, and what does not."""

from storage.bi_contract import NEXT, additions, breaks

PROMISED = {"source": {"source": "text", "total": "bigint"}, "topic": {"topic_label": "text"}}


def test_additions_break_nothing() -> None:
    """A new view and a column at the end are no breach; they are named so that they can be promised."""
    now = {"source": PROMISED["source"] | {"state": "text"}, "topic": PROMISED["topic"], "zone": {"zone": "text"}}
    assert breaks(PROMISED, now) == []
    assert additions(PROMISED, now) == ["zone", "source.state"]


def test_every_breach_is_a_sentence() -> None:
    """A view or column that goes, another type and another order are each told, with where such changes belong."""
    cases = {
        "bi.topic is gone or has another name": {"source": PROMISED["source"]},
        "bi.source.total is gone or has another name": PROMISED
        | {"source": {"source": "text", "documents": "bigint"}},
        "bi.source.total was bigint and is numeric": PROMISED | {"source": {"source": "text", "total": "numeric"}},
        "the columns of bi.source stand in another order": PROMISED
        | {"source": {"total": "bigint", "source": "text"}},
    }
    for sentence, now in cases.items():
        assert breaks(PROMISED, now) == [f"{sentence}: {NEXT}"]
