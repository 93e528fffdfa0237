"""What an answer means for the queue that asked for it, whatever way the answer came in."""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from core.texts import text_hash
from storage import gold_set, label_queue
from storage.human_labels import NewLabel

_ASKED = text("SELECT document_id FROM label_queue WHERE document_id = ANY(:ids)")


def settle_queue(connection: Connection, labels: Sequence[NewLabel]) -> None:
    """Let documents that were answered leave the queue; the random ones among them judge models from now on, and are
    never trained on."""
    of_documents = {(label.document_id, label.annotator): label for label in labels if label.document_id}
    ids = sorted({document_id for document_id, _ in of_documents if document_id})
    asked = set(connection.scalars(_ASKED, {"ids": ids})) if ids else set()
    gold = set()
    for (document_id, annotator), label in sorted(of_documents.items()):
        if document_id in asked and label_queue.complete(connection, document_id, annotator) == "random":
            gold.add(text_hash(label.text))
    gold_set.add(connection, gold, "random")
