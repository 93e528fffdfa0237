"""Temperature scaling (Guo et al. 2017, "On Calibration of Modern Neural Networks"), per head and, where it pays,
per script. `models.reliability` measures how well it worked."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from core.scripts import SCRIPTS, Script
from models.classifier import IGNORED_LABEL, OpinionClassifier, Temperature

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]
LOWEST, HIGHEST = 0.2, 5.0  # outside of this the fit follows noise of a tiny dev set
FEWEST_ANSWERS = 20  # fewer say nothing about confidence
FEWEST_OF_A_SCRIPT = 200  # fewer cannot show that their script wants a temperature of its own
FOLDS = 5


def fit_temperatures(
    model: OpinionClassifier,
    logits: Floats,
    labels: npt.NDArray[np.int64],
    class_mask: npt.NDArray[np.bool_],
    scripts: Sequence[Script],
) -> dict[str, Temperature]:
    """The temperatures that minimise the negative log-likelihood of `labels`.

    Args:
        logits: (rows, classes of all heads), uncalibrated.
        labels: (rows, heads), `IGNORED_LABEL` for a missing answer.
        class_mask: (rows, classes of all heads), False for classes the row's source does not know.
        scripts: of the rows' texts.

    Returns:
        One temperature per head, or one per script of a head where that pays (see `_pays_by_script`); the model's
        present one for a head with too few answers.
    """
    script_of_row = np.asarray(scripts, dtype=str)
    temperatures: dict[str, Temperature] = {}
    ends = np.cumsum([len(names) for names in model.config.heads.values()])[:-1]
    allowed_logits = np.where(class_mask, np.asarray(logits, dtype=np.float64), -np.inf)
    for column, (head, of_head) in enumerate(
        zip(model.config.heads, np.split(allowed_logits, ends, axis=1), strict=True)
    ):
        answered = labels[:, column] != IGNORED_LABEL
        if answered.sum() < FEWEST_ANSWERS:
            temperatures[head] = model.config.temperatures.get(head, 1.0)
            continue
        allowed, truth = of_head[answered], labels[answered, column]
        members = {script: np.flatnonzero(script_of_row[answered] == script) for script in SCRIPTS}
        temperatures[head] = (
            {script: _fit(allowed[rows], truth[rows]) for script, rows in members.items()}
            if _pays_by_script(allowed, truth, members)
            else _fit(allowed, truth)
        )
    return temperatures


def _pays_by_script(logits: Floats, labels: Ints, members: dict[Script, npt.NDArray[np.intp]]) -> bool:
    """Whether rows that the fit did not see become likelier by more than one standard error of that gain.

    The one-standard-error rule (Breiman et al. 1984, "Classification and Regression Trees", 3.4.3): the simpler of
    two that cannot be told apart.
    """
    if min(map(len, members.values())) < FEWEST_OF_A_SCRIPT:
        return False
    fold = np.arange(len(labels)) % FOLDS  # rows come file by file, so every fold holds some of each
    gains = np.empty(len(labels))
    for number in range(FOLDS):
        is_seen = fold != number
        together = _fit(logits[is_seen], labels[is_seen])
        for rows in members.values():
            seen, unseen = rows[is_seen[rows]], rows[~is_seen[rows]]
            of_script = _fit(logits[seen], labels[seen])
            gains[unseen] = _losses(logits[unseen], labels[unseen], together) - _losses(
                logits[unseen], labels[unseen], of_script
            )
    return bool(gains.mean() > gains.std() / len(gains) ** 0.5)


def _losses(logits: Floats, labels: Ints, temperature: float) -> Floats:
    """(rows,) the negative log-likelihood of each label. In numpy: thousands of small calls, and torch's threads
    would wait for each other on a busy machine."""
    cooled = logits / temperature
    losses: Floats = logsumexp(cooled, axis=1) - cooled[np.arange(len(labels)), labels]
    return losses


def _fit(logits: Floats, labels: Ints) -> float:
    def loss(log_temperature: float) -> float:
        return float(_losses(logits, labels, float(np.exp(log_temperature))).sum())

    found = minimize_scalar(loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded")
    return round(float(np.exp(found.x)), 4)
