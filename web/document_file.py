"""What the page of one document and its JSON twin show, read in one transaction."""

from dataclasses import dataclass

from sqlalchemy import Connection

from storage import document_files, people_verdicts
from storage.copy_carriers import Carrier, CopyGroup, carriers, groups_of
from storage.document_files import (
    Answer,
    EvidenceOf,
    MentionFound,
    Rejudging,
    ShadowVerdict,
    Version,
    WholeDocument,
)
from storage.people_verdicts import PeopleVerdict
from storage.queries import DocumentView
from storage.series import Counts


@dataclass(frozen=True, slots=True)
class Copies:
    """The cluster of a document that has copies; of its carriers the earliest."""

    group: CopyGroup
    carriers: list[Carrier]


@dataclass(frozen=True, slots=True)
class DocumentFile:
    """Everything that is known of one document.

    Attributes:
        people: what people have settled; it goes before the model's verdict.
        article: what it comments on, as far as that is stored.
        comments: on it, by sentiment; `/api/v1/documents/{id}/comments` has them.
        earlier: versions that newer crawls replaced, the newest first.
        rejudgings: reclassifications that passed over it; what it was judged before them is not kept.
    """

    document: WholeDocument
    people: PeopleVerdict | None
    article: DocumentView | None
    comments: Counts
    copies: Copies | None
    mentions: list[MentionFound]
    earlier: list[Version]
    shadows: list[ShadowVerdict]
    rejudgings: list[Rejudging]
    answers: list[Answer]
    evidence: list[EvidenceOf]

    @property
    def sentiment(self) -> str:
        """What people say, else the model."""
        said = self.people.sentiment if self.people else None
        return said.answer if said else self.document.version.sentiment

    @property
    def topic(self) -> str:
        """What people say it is about, else the model."""
        said = self.people.topic if self.people else None
        return said.answer if said else self.document.version.topic_label


def read_document(connection: Connection, document_id: str) -> DocumentFile | None:
    """The file of a document; None where there is none of this id."""
    document = document_files.whole(connection, document_id)
    if document is None:
        return None
    group = groups_of(connection, [(document.published_at, document.id)]).get(document.id)
    mentioned = document_files.mentions_of(connection, document)
    parent = document.parent_id
    return DocumentFile(
        document=document,
        people=people_verdicts.of_documents(connection, [document.id]).get(document.id),
        article=document_files.view_of(connection, parent) if parent else None,
        comments=document_files.comment_counts(connection, document.id),
        copies=Copies(group, carriers(connection, group.cluster)) if group else None,
        mentions=mentioned,
        earlier=document_files.earlier_versions(connection, document.id),
        shadows=document_files.shadow_verdicts(connection, document.id),
        rejudgings=document_files.rejudgings(connection, document, [one.watchlist for one in mentioned]),
        answers=document_files.answers_about(connection, document),
        evidence=document_files.evidence_of(connection, document.id),
    )
