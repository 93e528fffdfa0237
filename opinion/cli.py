"""`opinion`: the command line. Groups are registered here and live in `opinion/commands/`."""

import os
import sys
from typing import NoReturn

import typer
from kafka.errors import KafkaError
from rich.console import Console
from sqlalchemy.exc import DBAPIError

from core.errors import DependencyNotReadyError, OpinionError
from core.logs import configure_logs
from core.threads import let_waiting_threads_sleep
from opinion.commands import (
    alerts,
    audit,
    base,
    behaviour,
    channels,
    classify,
    copies,
    db,
    db_readers,
    demo,
    detect,
    dlq,
    doctor,
    drift,
    explain,
    export,
    feedback,
    feeds,
    follow,
    gate_report,
    intake,
    label_queue,
    labels,
    mcp,
    model_card,
    model_exchange,
    model_files,
    models,
    outbox,
    overlap,
    people,
    privacy,
    reclassify,
    registry,
    replay,
    report,
    retrain,
    rules,
    rules_test,
    scheduler,
    search,
    shadow,
    silences,
    sources,
    subscriptions,
    tokens,
    up,
    watch,
    watch_backfill,
    watch_test,
    web,
    who,
    worker,
)

app = typer.Typer(
    name="opinion",
    help="Opinion monitoring: Kafka in, topic and sentiment, SQL and alerts out. Start with `opinion demo`.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

app.command("demo")(demo.demo)
app.command("up")(up.up)
app.command("doctor")(doctor.doctor)
app.command("import")(intake.import_files)
app.command("follow")(follow.follow)
app.add_typer(intake.topics_app, name="topics")
app.command("worker")(worker.worker)
app.command("web")(web.web)
app.command("scheduler")(scheduler.scheduler)
app.command("detect")(detect.detect)
app.command("search")(search.search)
app.command("mcp")(mcp.mcp)
app.command("replay")(replay.replay)
app.add_typer(report.app, name="report")
alerts.app.command("feedback")(feedback.give_feedback)
alerts.app.command("silence")(silences.silence)
alerts.app.command("silences")(silences.list_silences)
alerts.app.command("unsilence")(silences.unsilence)
alerts.app.command("who")(who.ask)
alerts.app.add_typer(outbox.app, name="outbox")
app.add_typer(alerts.app, name="alerts")
app.add_typer(channels.app, name="channels")
app.add_typer(subscriptions.app, name="subscriptions")
rules.app.command("test")(rules_test.try_stored)
app.add_typer(rules.app, name="rules")
app.add_typer(sources.app, name="sources")
app.add_typer(tokens.app, name="tokens")
db.app.command("reader")(db_readers.reader)
db.app.command("readers")(db_readers.list_readers)
app.add_typer(people.app, name="people")
app.add_typer(db.app, name="db")
app.command("audit")(audit.audit)
app.command("classify")(classify.classify)
app.command("copies")(copies.copies)
app.command("explain")(explain.explain)
app.command("export")(export.export)
models.app.command("card")(model_card.card)
models.app.command("list")(registry.list_models)
models.app.command("promote")(registry.promote_model)
models.app.command("rollback")(registry.rollback_model)
models.app.command("report")(gate_report.report)
models.app.command("show")(model_files.show_model)
models.app.command("verify")(model_files.verify_model)
models.app.command("gc")(model_files.collect_garbage)
models.app.command("push")(model_exchange.push_model)
models.app.command("pull")(model_exchange.pull_model)
models.app.command("overlap")(overlap.overlap)
models.app.command("shadow")(shadow.show_shadow)
models.app.command("reject")(shadow.reject_model)
models.app.command("behaviour")(behaviour.behaviour)
models.app.command("base")(base.base)
models.app.command("drift")(drift.drift)
models.app.command("topics")(drift.topics)
app.add_typer(models.app, name="models")
labels.app.add_typer(label_queue.app, name="queue")
app.add_typer(labels.app, name="labels")
app.add_typer(privacy.app, name="privacy")
app.command("retrain")(retrain.retrain)
app.add_typer(reclassify.app, name="reclassify")
app.add_typer(dlq.app, name="dlq")
app.add_typer(feeds.app, name="feeds")
watch.app.command("test")(watch_test.try_file)
watch.app.command("backfill")(watch_backfill.backfill)
watch.app.command("recount")(watch_backfill.recount)
app.add_typer(watch.app, name="watch")


def main() -> NoReturn:
    """Run the command line; every failure ends in one clear message and its exit code, never in a traceback."""
    let_waiting_threads_sleep()
    configure_logs("warning")  # to stderr: stdout is for results; the roles that run for long set their own level
    try:
        app(standalone_mode=True)
    except OpinionError as error:
        _complain(error)
    except (KafkaError, DBAPIError) as error:
        cause = str(error.__cause__ or error).strip().splitlines()[0]
        _complain(DependencyNotReadyError(f"a server went away: {cause}", remedy="opinion doctor"))
    except Exception as error:
        if "OPINION_DEBUG" in os.environ:
            raise
        what = f"unexpected {type(error).__name__}: {error}"
        _complain(OpinionError(what, remedy="run it again with OPINION_DEBUG=1 for the traceback, and report it"))
    sys.exit(0)


def _complain(error: OpinionError) -> NoReturn:
    console = Console(stderr=True, highlight=False)
    console.print("[bold red]error:[/]", end=" ")
    console.print(error.message, markup=False)
    if error.remedy:
        console.print("[bold]next:[/]", end=" ")
        console.print(error.remedy, markup=False)
    sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
