"""The classifier of a command that needs no server: the champion where a database can be asked."""

from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from core.settings import Settings
from opinion.servers import postgres_address, say
from storage import model_versions
from storage.engine import connect
from streams.model_files import brought_here, model_store

if TYPE_CHECKING:  # the real import loads torch
    from models.inference import Classifier


def load_classifier(settings: Settings, checkpoint: str | None = None) -> "Classifier":
    """The checkpoint, or the champion, as the settings want it run.

    Raises:
        CheckpointError, LabelSetError: it cannot be used.
    """
    from models.inference import Classifier

    return Classifier.configured(settings.models, checkpoint or champion_checkpoint(settings))


def champion_checkpoint(settings: Settings) -> str:
    """The promoted checkpoint, on this machine; the configured one without a database, or before any promotion.

    Raises:
        CheckpointError: the champion is on another machine, and cannot be fetched.
    """
    address = postgres_address(settings)
    if address is None:
        return settings.models.checkpoint
    engine = connect(address, pool_size=1)
    try:
        with engine.connect() as connection:
            promotion = model_versions.champion(connection)
        if promotion is None:
            return settings.models.checkpoint
        return brought_here(promotion.path, engine, home=settings.home, store=model_store(settings))
    except SQLAlchemyError:
        say(f"the database cannot say which model is champion; using {settings.models.checkpoint}")
        return settings.models.checkpoint
    finally:
        engine.dispose()
