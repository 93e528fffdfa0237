"""`opinion models push|pull`: models to and from the store, and a model hub."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer
from sqlalchemy import Engine

from core.errors import ConfigError, NotFoundError
from core.settings import Settings, load_settings
from models.manifest import read_manifest, safe_name
from models.model_store import ModelStore
from models.registry import ModelFolders
from opinion.model_integrity import damage, folder_of, require_intact
from opinion.servers import database
from storage import model_versions
from streams.model_files import model_store


def push_model(
    target: Annotated[str, typer.Argument(help="OWNER/NAME of a model hub; or a version, which goes to the store.")],
    version: Annotated[str | None, typer.Option(help="What goes to the hub; the champion if absent.")] = None,
    public: Annotated[bool, typer.Option("--public", help="Everybody may read it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Bring a model to a hub, with its card, where it is private; or to the store of OPINION_REGISTRY__URL.

    The hub's token is read from HF_TOKEN. Texts of people, such as the replay texts, stay here.

    Example: opinion models push our-team/opinion --version 20261126-0f3a9c1b
    """
    settings = load_settings()
    with database(settings) as engine:
        if "/" not in target:
            store = _store(settings)
            store.push(safe_name(target, "version"))
            with engine.begin() as connection:
                model_versions.set_stored(connection, target)
            _say({"version": target, "place": store.place}, as_json)
            return
        from models.hub_exchange import push_folder

        with engine.connect() as connection:
            champion = model_versions.champion(connection)
            name = version or (champion.version if champion else None)
            if name is None:
                raise NotFoundError("there is no champion yet", remedy="name one: --version; opinion models list")
            model = model_versions.find(connection, name)
        folder = require_intact(model, settings.home)
        commit = push_folder(folder, target, message=f"opinion model {name}", is_public=public)
    _say({"version": name, "place": commit}, as_json)


def pull_model(
    source: Annotated[str, typer.Argument(help="OWNER/NAME[@REVISION] of a model hub; or a version of the store.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Bring a model to this machine and make it known; `opinion models promote` makes it champion.

    From a hub come safetensors, configuration and tokenizer; pickles, and models that run code of their own, are
    refused.

    Example: opinion models pull our-team/opinion@v3
    """
    settings = load_settings()
    with database(settings) as engine:
        if "/" not in source:
            version, place = safe_name(source, "version"), _from_store(engine, settings, source)
        else:
            version, place = _from_hub(engine, settings, source)
    _say({"version": version, "place": place}, as_json)


def _from_store(engine: Engine, settings: Settings, version: str) -> str:
    """The folder of a version that is here and intact; one that is damaged is replaced."""
    with engine.connect() as connection:
        known = model_versions.find(connection, version)
    folders = ModelFolders(settings.home.resolve())
    folder = folder_of(known, settings.home)
    if folder is None or damage(known, folder):
        store = _store(settings)
        if folder is not None and not store.has(version):
            raise NotFoundError(f"the store {store.place} does not have {version}, which is damaged here")
        folders.remove(version)
        folder = store.fetch(version, content_sha256=known.content_sha256)
    with engine.begin() as connection:
        model_versions.register(connection, version, str(folder), origin=known.origin)
    return str(folder)


def _from_hub(engine: Engine, settings: Settings, reference: str) -> tuple[str, str]:
    from models.checkpoints import load_checkpoint
    from models.hub_exchange import pull_folder, split_revision

    repo, revision = split_revision(reference)
    folders = ModelFolders(settings.home.resolve())
    with folders.unfinished() as unfinished:
        commit = pull_folder(repo, revision, unfinished)
        load_checkpoint(unfinished)  # what cannot be loaded is no model of ours
        added = folders.adopt(unfinished, created_at=datetime.now(UTC))
    folder = folders.path(added.version)
    manifest = read_manifest(folder)
    with engine.begin() as connection:
        model_versions.register(
            connection,
            added.version,
            str(folder),
            origin="hub",
            parent=added.parent,
            metrics={"claimed": added.lineage.metrics},  # measured elsewhere, on data that we do not know
            snapshot_hash=added.lineage.snapshot_hash,
            code_version=added.lineage.code_version,
            options={**added.lineage.options, "hub": repo, "commit": commit},
            content_sha256=manifest.content_sha256 if manifest else None,
        )
    return added.version, str(folder)


def _store(settings: Settings) -> ModelStore:
    store = model_store(settings)
    if store is None:
        raise ConfigError(
            "there is no store of models", remedy="set OPINION_REGISTRY__URL, e.g. to s3://bucket/models"
        )
    return store


def _say(body: dict[str, str], as_json: bool) -> None:
    typer.echo(json.dumps(body) if as_json else f"{body['version']} is in {body['place']}")
