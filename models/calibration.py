"""Temperature scaling (Guo et al. 2017, "On Calibration of Modern Neural Networks") and how well it worked."""

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize_scalar

from models.classifier import IGNORED_LABEL, OpinionClassifier, masked_cross_entropy

Floats = npt.NDArray[np.floating]
LOWEST, HIGHEST = 0.2, 5.0  # outside of this the fit follows noise of a tiny dev set
FEWEST_ANSWERS = 20  # fewer say nothing about confidence


def fit_temperatures(
    model: OpinionClassifier, logits: Floats, labels: npt.NDArray[np.int64], class_mask: npt.NDArray[np.bool_]
) -> dict[str, float]:
    """The temperature per head that minimises the negative log-likelihood of `labels`.

    Args:
        logits: (rows, classes of all heads), uncalibrated.
        labels: (rows, heads), `IGNORED_LABEL` for a missing answer.
        class_mask: (rows, classes of all heads), False for classes the row's source does not know.

    Returns:
        One temperature per head; the model's present one for a head with too few answers.
    """
    parts = model.split_heads(torch.from_numpy(np.asarray(logits, dtype=np.float32)))
    masks = model.split_heads(torch.from_numpy(np.asarray(class_mask, dtype=bool)))
    temperatures = {}
    for column, head in enumerate(model.config.heads):
        answered = labels[:, column] != IGNORED_LABEL
        if answered.sum() < FEWEST_ANSWERS:
            temperatures[head] = float(model.config.temperatures.get(head, 1.0))
            continue
        truth = torch.from_numpy(labels[answered, column])
        temperatures[head] = _fit(parts[head][answered], truth, masks[head][answered])
    return temperatures


def expected_calibration_error(scores: Floats, labels: npt.NDArray[np.int64], bins: int = 15) -> float:
    """Mean distance between confidence and accuracy over equally wide bins, weighted by rows; 0 is perfect.

    Args:
        scores: (rows, classes), each row summing to 1.
        labels: (rows,) class index.
    """
    if len(labels) == 0:
        return 0.0
    confidence = scores.max(axis=1)
    is_right = scores.argmax(axis=1) == labels
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    weights = np.bincount(bin_of, minlength=bins)
    gaps = np.abs(np.bincount(bin_of, confidence, bins) - np.bincount(bin_of, is_right, bins))
    return float(gaps.sum() / weights.sum())


def _fit(logits: torch.Tensor, labels: torch.Tensor, mask: torch.Tensor) -> float:
    def loss(log_temperature: float) -> float:
        return float(masked_cross_entropy(logits / float(np.exp(log_temperature)), labels, mask, smoothing=0.0))

    found = minimize_scalar(loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded")
    return round(float(np.exp(found.x)), 4)
