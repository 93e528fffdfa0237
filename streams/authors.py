"""The key that makes authors pseudonyms: the configured one, else one that is made and kept under `home`."""

from sqlalchemy import Engine

from core.logs import get_logger
from core.pseudonyms import KEY_FILE, Pseudonyms, key_in
from core.settings import Settings
from storage import opt_outs

log = get_logger(__name__)


def pseudonyms_of(settings: Settings, engine: Engine) -> Pseudonyms:
    """What workers and the privacy commands use. Blocking; notes the key's id in the database, never the key.

    Raises:
        ConfigError: there is no key and none can be made, or it is too short.
        sqlalchemy.exc.DBAPIError: the database is away.
    """
    privacy = settings.privacy
    key = privacy.author_key.get_secret_value() if privacy.author_key else ""
    if not key:
        key, is_new = key_in(settings.home)
        if is_new:
            log.warning(
                "author_key_made", file=str(settings.home / KEY_FILE), advice="keep a copy outside the database"
            )
    former = [one.get_secret_value() for one in privacy.former_author_keys]
    with engine.begin() as connection:
        listed = [entry.value for entry in opt_outs.listed(connection, "author")]
        pseudonyms = Pseudonyms(key, former, listed)
        before = opt_outs.use_key(connection, pseudonyms.key_id)
    if before:
        log.warning(
            "author_key_changed",
            key=pseudonyms.key_id,
            before=before,
            advice="every worker needs the same OPINION_PRIVACY__AUTHOR_KEY; name those before in FORMER_AUTHOR_KEYS",
        )
    return pseudonyms
