"""From the gate into the shadow: a retrain run with a model of a few thousand weights."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from core.settings import ShadowSettings
from models.gate_options import GateOptions
from opinion.retraining import RetrainOptions, retrain
from storage import model_versions, shadow_runs, training_runs
from storage.engine import connect
from tests.integration.test_learning_retrain import NOW, OPTIMISATION, add_labels, texts
from tests.support.checkpoints import tiny_checkpoint


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


def test_an_accepted_candidate_goes_into_shadow(engine: Engine, tmp_path: Path) -> None:
    """It is registered, not promoted, and the run says where it is; the champion goes on."""
    add_labels(engine, texts(120, seed=1))
    options = RetrainOptions(
        home=tmp_path,
        checkpoint=str(tiny_checkpoint(tmp_path / "first")),
        held_out_share=0.25,
        epochs=1,
        learning_rate=OPTIMISATION.learning_rate,
        device="cpu",
        batch_tokens=4096,
        max_length=64,
        threads=1,
        gate=GateOptions(policy="not worse", margin=1, slice_margin=1, calibration_margin=1, most_slowdown=100),
        shadow=ShadowSettings(documents=50),
    )
    result = retrain(engine, options, min_new_labels=1, now=NOW)
    assert (result.promoted, result.champion) == (False, "first"), result.reasons
    with engine.connect() as connection:
        run = shadow_runs.current(connection)
        champion = model_versions.champion(connection)
        trained = training_runs.newest(connection, 1)[0]
        assert result.candidate in {one.version for one in model_versions.versions(connection)}
    assert run is not None
    assert champion is not None
    assert (run.id, run.candidate, run.champion, run.state) == (result.shadow, result.candidate, "first", "scoring")
    assert (run.training_run, champion.version) == (trained.id, "first")
    assert (trained.candidate, trained.is_promoted) == (result.candidate, False)
