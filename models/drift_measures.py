"""How far a window of documents is from another one: one effect size for each kind of drift. Pure.

The domain classifier is that of Rabanser, Günnemann and Lipton, "Failing Loudly" (NeurIPS 2019), with its AUC in the
place of a p-value: half means that nobody can tell the windows apart, however many documents there are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.stats import ks_2samp, wasserstein_distance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from core.taxonomy import Head
from models.drift_figures import Measure
from models.drift_samples import Floats, Sample, class_shares

FOLDS: Final = 2


@dataclass(frozen=True)
class Measured:
    """How one measure is computed and judged.

    Attributes:
        effect: of (reference, current); None where the windows lack what it needs.
        least: a smaller effect is no drift, however certain it is.
        draws: resamplings of the reference that its threshold is taken from.
    """

    effect: Callable[[Sample, Sample], float | None]
    least: float
    draws: int


def total_variation(first: Floats, second: Floats) -> float:
    """Half the sum of the differences of two distributions: the share of documents that would have to move."""
    return float(np.abs(first - second).sum() / 2)


def mix_distance(first: npt.NDArray[np.object_], second: npt.NDArray[np.object_]) -> float:
    """Total variation between the shares of names."""
    names, codes = np.unique(np.concatenate([first, second]).astype(str), return_inverse=True)
    shares = [np.bincount(part, minlength=len(names)) / max(len(part), 1) for part in np.split(codes, [len(first)])]
    return total_variation(shares[0], shares[1])


def domain_auc(reference: Sample, current: Sample) -> float:
    """AUC of a classifier that is to tell the current documents from the reference, on those it has not seen."""
    from scipy.sparse import vstack

    grams = vstack([reference.grams, current.grams]).tocsr()
    is_current = np.repeat([0, 1], [len(reference), len(current)])
    folds = np.arange(len(is_current)) % FOLDS
    found = []
    for fold in range(FOLDS):
        train, test = folds != fold, folds == fold
        told = LogisticRegression(solver="liblinear", class_weight="balanced", max_iter=50, tol=0.01, random_state=0)
        told.fit(grams[train], is_current[train])
        found.append(roc_auc_score(is_current[test], told.decision_function(grams[test])))
    return float(np.mean(found))


def mean_distance(reference: Sample, current: Sample) -> float | None:
    """Distance of the mean vectors, in units of the reference's spread around its own."""
    if reference.vectors is None or current.vectors is None:
        return None
    centre = reference.vectors.mean(axis=0)
    spread = np.sqrt(np.square(reference.vectors - centre).sum(axis=1).mean())
    return float(np.linalg.norm(current.vectors.mean(axis=0) - centre) / max(spread, 1e-12))


def _share(head: Head) -> Callable[[Sample, Sample], float | None]:
    def effect(reference: Sample, current: Sample) -> float | None:
        if head not in reference.scores:
            return None
        return total_variation(class_shares(reference.scores[head]), class_shares(current.scores[head]))

    return effect


def _confidence(head: Head) -> Callable[[Sample, Sample], float | None]:
    def effect(reference: Sample, current: Sample) -> float | None:
        if head not in reference.scores:
            return None
        best = [sample.scores[head].max(axis=1) for sample in (reference, current)]
        return float(wasserstein_distance(best[0], best[1]))

    return effect


def _drop(head: Head) -> Callable[[Sample, Sample], float | None]:
    """How much accuracy is lost, as `models.label_free_accuracy` estimates it; below 0 where it rises."""

    def effect(reference: Sample, current: Sample) -> float | None:
        if head not in reference.scores:
            return None
        return float(reference.scores[head].max(axis=1).mean() - current.scores[head].max(axis=1).mean())

    return effect


HOW: Final[dict[Measure, Measured]] = {
    "text": Measured(domain_auc, 0.55, 24),
    "length": Measured(lambda old, new: float(ks_2samp(old.lengths, new.lengths).statistic), 0.1, 100),
    "source_mix": Measured(lambda old, new: mix_distance(old.sources, new.sources), 0.1, 100),
    "language_mix": Measured(lambda old, new: mix_distance(old.langs, new.langs), 0.05, 100),
    "topic_share": Measured(_share("topic"), 0.05, 100),
    "sentiment_share": Measured(_share("sentiment"), 0.05, 100),
    "topic_confidence": Measured(_confidence("topic"), 0.02, 100),
    "sentiment_confidence": Measured(_confidence("sentiment"), 0.02, 100),
    "topic_accuracy": Measured(_drop("topic"), 0.02, 100),
    "sentiment_accuracy": Measured(_drop("sentiment"), 0.02, 100),
    "embedding": Measured(mean_distance, 0.1, 100),
}
