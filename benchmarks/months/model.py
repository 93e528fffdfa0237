"""The model of the months: a sentiment head on frozen vectors, calibrated on dev, refitted by each run."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.preprocessing import StandardScaler

from benchmarks.months.features import CLASSES, Rows
from models.drift_samples import Floats

REGULARISATION: Final = 0.02


@dataclass(frozen=True)
class Head:
    """A fitted head."""

    scaler: StandardScaler
    linear: LogisticRegression
    temperature: float

    def scores(self, rows: Rows) -> Floats:
        """(rows, classes) calibrated."""
        return _softmax(self.linear.decision_function(self.scaler.transform(rows.vectors)) / self.temperature)


def fit(train: Rows, dev: Rows, weights: Floats | None = None) -> Head:
    """A head on all three classes; `dev` calibrates it."""
    scaler = StandardScaler().fit(train.vectors)
    linear = LogisticRegression(C=REGULARISATION, max_iter=300, class_weight="balanced")
    linear.fit(scaler.transform(train.vectors), train.labels, sample_weight=weights)
    logits = linear.decision_function(scaler.transform(dev.vectors))

    def loss(log_temperature: float) -> float:
        scores = _softmax(logits / np.exp(log_temperature))
        return float(-np.log(scores[np.arange(len(dev)), dev.labels] + 1e-12).mean())

    found = minimize_scalar(loss, bounds=(-2, 2), method="bounded")
    return Head(scaler, linear, float(np.exp(found.x)))


def macro_f1(head: Head, rows: Rows) -> float:
    """Over the classes that occur."""
    return float(
        f1_score(rows.labels, head.scores(rows).argmax(axis=1), labels=np.unique(rows.labels), average="macro")
    )


def _softmax(logits: Floats) -> Floats:
    powers: Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


assert len(CLASSES) == 3
