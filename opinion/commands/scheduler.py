"""`opinion scheduler`: detect, deliver, and whatever else comes round by the clock."""

import signal
from datetime import timedelta
from functools import partial

from sqlalchemy import Engine

from core.clock import SystemClock
from core.logs import configure_logs, get_logger
from core.probes import ProbeServer
from core.settings import Settings, load_settings
from opinion.auditing import audit_job
from opinion.dead_letter_alarm import dead_letter_job
from opinion.detection import deliver_job, detect_job
from opinion.drift import drift_job, retrain_wanted, trigger_options
from opinion.feeds import FEEDS_EVERY, FeedsJob
from opinion.label_queue_job import LabelQueueJob
from opinion.learning import learning_jobs
from opinion.model_cleanup import models_job
from opinion.model_overlap import OverlapJob
from opinion.reporting import EVERY as REPORTS_EVERY
from opinion.reporting import ReportJob
from opinion.retention import retention_job
from opinion.rolling_up import EVERY as ROLL_UP_EVERY
from opinion.rolling_up import RollUpJob
from opinion.routing import TELL_EVERY, tell_job
from opinion.scheduler import Job, Scheduler
from opinion.search_index import search_index_job
from opinion.servers import servers
from opinion.source_alarm import source_job
from storage.engine import connect

log = get_logger(__name__)

DELIVER_EVERY = timedelta(seconds=1)
OVERLAP_EVERY = timedelta(seconds=30)
POOL_SIZE = 30  # the lease, one per job (two for retrain, models and roll_up), one to show them, one for the probes


def jobs(settings: Settings, engine: Engine, kafka_bootstrap: str) -> list[Job]:
    """Everything that comes round by the clock, one line each."""
    clock = SystemClock()
    drift = partial(retrain_wanted, options=trigger_options(settings))
    return [
        Job("detect", settings.detect.every, detect_job(settings, engine, kafka_bootstrap, clock)),
        Job("tell", TELL_EVERY, tell_job(settings, engine, kafka_bootstrap, clock)),
        Job("deliver", DELIVER_EVERY, deliver_job(settings, engine, kafka_bootstrap, clock)),
        Job("dead_letters", settings.detect.every, dead_letter_job(settings, engine, kafka_bootstrap, clock)),
        Job("sources", settings.source_health.every, source_job(settings, engine, kafka_bootstrap, clock)),
        Job("overlap", OVERLAP_EVERY, OverlapJob(engine, settings.home)),
        *learning_jobs(settings, engine, kafka_bootstrap, clock, drift),
        Job("label_queue", settings.sampling.every, LabelQueueJob(settings, engine, clock)),
        Job("models", settings.registry.tidy_every, models_job(settings, engine, clock)),
        Job("drift", settings.drift.every, drift_job(settings, engine, clock)),
        Job("retention", settings.retention.every, retention_job(settings, engine, clock)),
        Job("roll_up", ROLL_UP_EVERY, RollUpJob(engine)),
        Job("search_index", settings.search.every, search_index_job(settings, engine, clock)),
        Job("audit", settings.audit.every, audit_job(settings, engine, kafka_bootstrap, clock)),
        Job("reports", REPORTS_EVERY, ReportJob(settings, engine, clock)),
        Job("feeds", FEEDS_EVERY, FeedsJob(settings, engine, kafka_bootstrap, clock)),
    ]


def scheduler() -> None:
    """Run a scheduler in the foreground; of several, one works and the others stand by.

    Example: opinion scheduler
    """
    settings = load_settings()
    configure_logs(settings.log_level, settings.log_format)
    with servers(settings) as addresses:
        engine = connect(addresses.database_url, pool_size=POOL_SIZE)
        running = Scheduler(engine, jobs(settings, engine, addresses.kafka_bootstrap))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: running.stop())
        probes = ProbeServer(
            settings.scheduler.probes_host, settings.scheduler.probes_port, {"lease": running.not_ready}
        )
        probes.start()
        log.info("scheduler_started", probes_port=probes.port)
        try:
            running.run()
        finally:
            probes.stop()
            engine.dispose()
