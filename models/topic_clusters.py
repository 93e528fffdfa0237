"""New topics, proposed: clusters among the documents whose topic the model doubts. Pure.

TF-IDF of the words, in fifty dimensions (latent semantic analysis), beside the encoder's vectors, clustered by
density (HDBSCAN; Campello, Moulavi and Sander, PAKDD 2013): no number of clusters has to be guessed, and what is like
nothing else stays out. Of its tree the leaves are taken: the other choice finds one sea of chatter and no islands.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.cluster import HDBSCAN
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from models.drift_figures import Proposal

FEWEST_DOCUMENTS: Final = 10  # make a cluster
SMALLEST_SHARE: Final = 0.02  # of the doubtful ones, in all
DIMENSIONS: Final = 50
NEIGHBOURS: Final = 3  # HDBSCAN's `min_samples`
ENCODER_WEIGHT: Final = 0.7  # of the encoder's vectors beside the words': what it doubts it tells apart less well
MOST_TERMS: Final = 5
MOST_PROPOSALS: Final = 10
EXAMPLES: Final = 3
SEED: Final = 0

Words = frozenset[str]
Rank = Callable[[Sequence[Words], Sequence[Words]], dict[str, float]]


def propose(
    words: Sequence[Words], is_new: npt.NDArray[np.bool_], rank: Rank, vectors: npt.NDArray[np.float32] | None = None
) -> list[Proposal]:
    """The clusters that can be named, those that grow most first; the same for the same documents.

    Args:
        words: of each document, which are independent voices: copies would make a cluster by themselves.
        is_new: whether it is of the newer of two windows of equal length.
        rank: names of a cluster: words of it that the others hold less often, with a figure, best first.
        vectors: (documents, width) of the encoder.
    """
    places, points = _points(words, vectors)
    least = max(FEWEST_DOCUMENTS, round(SMALLEST_SHARE * len(words)))
    if len(places) < 2 * least:
        return []
    labels = HDBSCAN(
        min_cluster_size=least, min_samples=NEIGHBOURS, cluster_selection_method="leaf", copy=True
    ).fit_predict(points)
    proposals = []
    for label in range(labels.max() + 1):
        members = np.flatnonzero(labels == label)
        typical = members[np.argsort(-(points[members] @ points[members].mean(axis=0)), kind="stable")]
        inside = places[typical]
        others = places[labels != label]
        named = rank([words[place] for place in inside], [words[place] for place in others])
        if named:
            now = int(is_new[inside].sum())
            shown = sorted(inside.tolist(), key=lambda place: not is_new[place])[:EXAMPLES]
            terms = tuple(named)[:MOST_TERMS]
            proposals.append(Proposal(terms, tuple(inside.tolist()), tuple(shown), now, len(inside) - now))
    return sorted(proposals, key=lambda one: (-one.surprise, one.terms))[:MOST_PROPOSALS]


def _points(
    words: Sequence[Words], vectors: npt.NDArray[np.float32] | None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The documents that share a word with another one, and where they lie."""
    nowhere = np.empty(0, dtype=np.int64), np.empty((0, 0))
    try:
        weighted = TfidfVectorizer(analyzer=sorted, min_df=2, max_df=0.5, sublinear_tf=True).fit_transform(words)
    except ValueError:  # no words are left
        return nowhere
    places = np.flatnonzero(np.diff(weighted.indptr))
    width = min(DIMENSIONS, weighted.shape[1] - 1, len(places) - 1)
    if width < 2:
        return nowhere
    points = normalize(TruncatedSVD(width, random_state=SEED).fit_transform(weighted[places]))
    if vectors is not None:
        read = vectors[places].astype(np.float64)
        points = np.hstack([points, ENCODER_WEIGHT * normalize(read - read.mean(axis=0))])
    return places, points
