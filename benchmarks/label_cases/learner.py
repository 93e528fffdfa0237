"""A classifier over frozen features that goes on from what the model answers already: a retraining in a second."""

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.metrics import f1_score

from benchmarks.label_cases.pools import Floats, Ints, Pool
from models.class_balance import POWER

PENALTY: Final = (
    2.0  # of squared weights, over the number of labels; chosen on seeds 1000-1005, by labels drawn at random
)

Doubles = npt.NDArray[np.float64]


def scaled(pool: Pool) -> tuple[Floats, Floats]:
    """Features of the pool and of its test, standardised on the pool; a usual row is of length 1."""
    mean, spread = pool.features.mean(axis=0), pool.features.std(axis=0) + 1e-6
    width = np.sqrt(pool.features.shape[1])
    return (pool.features - mean) / spread / width, (pool.test_features - mean) / spread / width


def fit(features: Floats, logits: Floats, answers: Ints) -> Doubles:
    """(width + 1, classes) weights that are added to the model's own logits: multinomial logistic regression with the
    logits as an offset, rare classes weighing more. Without labels they would be zero: the model as it is."""
    rows, width = features.shape
    classes = logits.shape[1]
    shares = np.bincount(answers, minlength=classes)[answers] ** -POWER  # of the loss, as `models.class_balance` does
    shares /= shares.sum()
    wanted = np.eye(classes)[answers]
    penalty = PENALTY / rows
    inputs = np.hstack([features, np.ones((rows, 1))])

    def loss(flat: Doubles) -> tuple[float, Doubles]:
        weights = flat.reshape(width + 1, classes)
        log_scores = log_softmax(logits + inputs @ weights, axis=1)
        value = -(shares[:, None] * log_scores * wanted).sum() + penalty * (weights**2).sum() / 2
        slope = inputs.T @ (shares[:, None] * (np.exp(log_scores) - wanted)) + penalty * weights
        return float(value), slope.ravel()

    start = np.zeros((width + 1) * classes)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 200})
    weights: Doubles = found.x.reshape(width + 1, classes)
    return weights


def scores(features: Floats, logits: Floats, weights: Doubles) -> Doubles:
    """(rows, classes), summing to 1."""
    found: Doubles = softmax(logits + features @ weights[:-1] + weights[-1], axis=1)
    return found


def macro_f1(found: Doubles, answers: Ints) -> float:
    """Over the classes that occur among the answers."""
    present = sorted(set(answers.tolist()))
    return float(f1_score(answers, found.argmax(axis=1), labels=present, average="macro", zero_division=0))
