"""How accurate the model is on texts that nobody labelled, from how sure it is of them. Pure.

With labelled texts at hand: Average Thresholded Confidence (Garg et al., "Leveraging Unlabeled Data to Predict
Out-of-Distribution Performance", ICLR 2022): a score above which lie as many labelled texts as are right; the share
above it elsewhere is the estimate. And difference of confidences (Guillory et al., ICCV 2021): accuracy falls by as
much as the mean score does. Without labelled texts the mean calibrated score has to do. All are blind to a model
that is sure and wrong.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from models.drift_samples import Floats
from models.reliability import Answers

FEWEST_LABELLED: Final = 100
DRAWS: Final = 200
INTERVAL: Final = (2.5, 97.5)  # percentiles of the draws
Method = Literal["atc", "doc", "mean_score"]


@dataclass(frozen=True)
class Estimate:
    """Accuracy with its bootstrap interval.

    Attributes:
        before: on the reference, by the same way.
        drop: before - value, with its own interval.
    """

    method: Method
    value: float
    low: float
    high: float
    before: float
    drop: float
    drop_low: float
    drop_high: float


def atc_threshold(labelled: Answers) -> float:
    """The score below which lie as many of the labelled texts as are wrong."""
    return float(np.quantile(labelled.confidence, 1.0 - labelled.is_right.mean()))


def atc(labelled: Answers, confidence: Floats) -> float:
    """Share of the texts that are surer than the threshold of the labelled ones."""
    return float((confidence >= atc_threshold(labelled)).mean())


def doc(labelled: Answers, confidence: Floats) -> float:
    """Accuracy of the labelled texts, less what the mean score has fallen."""
    return float(np.clip(labelled.is_right.mean() + confidence.mean() - labelled.confidence.mean(), 0, 1))


def estimate(
    reference: Floats,
    current: Floats,
    labelled: Answers | None,
    rng: np.random.Generator,
    method: Method | None = None,
) -> Estimate:
    """The accuracy of the current window.

    Args:
        reference, current: (documents,) best calibrated scores.
        labelled: texts that the model was not trained on; with fewer than `FEWEST_LABELLED` the mean score is taken.
        method: in place of the choice that goes by `labelled`.
    """
    usable = labelled if labelled is not None and len(labelled.confidence) >= FEWEST_LABELLED else None
    chosen: Method = method or ("atc" if usable is not None else "mean_score")
    values = _values(chosen, usable, reference, current)
    draws = np.array(
        [_values(chosen, _resampled(usable, rng), _again(reference, rng), _again(current, rng)) for _ in range(DRAWS)]
    )
    low, high = np.percentile(draws[:, 1], INTERVAL)
    drop_low, drop_high = np.percentile(draws[:, 0] - draws[:, 1], INTERVAL)
    return Estimate(
        chosen,
        values[1],
        float(low),
        float(high),
        values[0],
        values[0] - values[1],
        float(drop_low),
        float(drop_high),
    )


def _values(method: Method, labelled: Answers | None, reference: Floats, current: Floats) -> tuple[float, float]:
    if method == "mean_score" or labelled is None:
        return float(reference.mean()), float(current.mean())
    how = atc if method == "atc" else doc
    return how(labelled, reference), how(labelled, current)


def _again(values: Floats, rng: np.random.Generator) -> Floats:
    return values[rng.integers(0, len(values), len(values))]


def _resampled(labelled: Answers | None, rng: np.random.Generator) -> Answers | None:
    if labelled is None:
        return None
    places = rng.integers(0, len(labelled.confidence), len(labelled.confidence))
    return Answers(labelled.confidence[places], labelled.is_right[places])
