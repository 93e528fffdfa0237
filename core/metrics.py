"""Every Prometheus metric of the product, declared once; label values come from closed sets.

Names: `opinion_<package>_<thing>_<unit>`; seconds and bytes; counters end in `_total`.
"""

from prometheus_client import Counter, Gauge, Histogram

FATES = ("stored", "repeat", "revision", "refused", "dead_lettered")
REJECT_REASONS = (
    "empty_value",
    "bad_encoding",
    "bad_json",
    "bad_record",
    "too_large",
    "empty_text",
    "published_in_future",
    "poisons_its_batch",
)

FETCH_REASONS = (
    "bad_url",
    "address",
    "dns",
    "connect",
    "tls",
    "timeout",
    "broken",
    "redirects",
    "status",
    "rate_limited",
    "robots",
    "robots_unreachable",
    "content_type",
    "encoding",
    "too_large",
    "not_a_feed",
)
"""Why a page or a feed was not taken."""

RECORDS = Counter("opinion_streams_records_total", "Raw records by fate.", ["fate"])
REJECTED = Counter("opinion_streams_rejected_total", "Dead-lettered records by reason.", ["reason"])
RETRIES = Counter("opinion_streams_retries_total", "Attempts repeated because a dependency was away.", ["step"])
STEP_SECONDS = Histogram(
    "opinion_streams_step_seconds",
    "Time a batch spent in a step.",
    ["step"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
RECORD_TO_ROW_SECONDS = Histogram(
    "opinion_streams_record_to_row_seconds",
    "From the Kafka record's timestamp to the commit of its row.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800),
)
BATCH_RECORDS = Histogram(
    "opinion_streams_batch_records", "Records per batch.", buckets=(1, 4, 16, 32, 64, 128, 256, 512)
)
LAST_PROGRESS = Gauge("opinion_streams_last_progress_timestamp_seconds", "When a batch was last acknowledged.")
LAG = Gauge("opinion_streams_lag_records", "Raw records that the group has not settled yet, on all partitions.")
PARTITION_LAG = Gauge(
    "opinion_streams_partition_lag_records", "The same, on each partition that this worker has.", ["partition"]
)
STANDSTILL = Gauge(
    "opinion_streams_standstill_seconds",
    "Longest time that a partition of this worker has had records waiting and no commit; waiting for a "
    "dependency does not count.",
)
WAITING = Gauge(
    "opinion_streams_waiting_seconds", "For how long a step has been waiting for its dependency, or 0.", ["step"]
)
REBALANCES = Counter("opinion_streams_rebalances_total", "Times this worker was given partitions by its group.")
ASSIGNED = Gauge("opinion_streams_assigned_partitions", "Raw partitions that this worker has.")
MODEL_SWAPS = Counter("opinion_streams_model_swaps_total", "Model versions taken into use by this worker.")
MODEL_NOT_LOADED = Gauge(
    "opinion_streams_model_not_loaded",
    "1 while this worker cannot load the champion it was told of, and classifies with the model it has.",
)
WATCHLISTS = Gauge("opinion_streams_watchlists", "Watchlists that this worker looks for.")
WATCHLISTS_REVISION = Gauge(
    "opinion_streams_watchlists_revision",
    "Newest change of a watchlist that this worker has taken in; the same on all, a second or two after a change.",
)
WATCHLISTS_UNUSABLE = Gauge(
    "opinion_streams_watchlists_unusable", "Watchlists whose newest definition cannot be used; see the worker's log."
)
LABELS = Counter("opinion_streams_labels_total", "Label records by fate.", ["fate"])

FETCHES = Counter(
    "opinion_streams_fetches_total", "Pages and feeds asked for, robots.txt left out, by how it ended.", ["outcome"]
)
FETCHED_BYTES = Counter("opinion_streams_fetched_bytes_total", "Bytes of bodies as they came over the network.")
FEED_POLLS = Counter("opinion_streams_feed_polls_total", "Polls of feeds, by how they ended.", ["outcome"])
FEED_ENTRIES = Counter("opinion_streams_feed_entries_total", "Entries of feeds, by what became of them.", ["fate"])
FEEDS = Gauge("opinion_streams_feeds", "Feeds that are polled, by how their last poll ended.", ["state"])

TEXTS = Counter("opinion_models_texts_total", "Texts classified, by where the answer came from.", ["answered_by"])
PADDING = Counter("opinion_models_padding_tokens_total", "Tokens computed only to fill a batch.")
TOKENS = Counter("opinion_models_tokens_total", "Real tokens computed.")
UNREAD_TOKENS = Counter(
    "opinion_models_unread_tokens_total",
    "Tokens between the windows of texts longer than `models.max_windows` windows.",
)
QUEUED_TOKENS = Gauge("opinion_models_queued_tokens", "Tokens that wait for a forward pass.")
MEMORY_SPLITS = Counter("opinion_models_memory_splits_total", "Batches halved because memory ran out.")

DRIFT_MEASURES = (
    "text",
    "length",
    "source_mix",
    "language_mix",
    "topic_share",
    "sentiment_share",
    "topic_confidence",
    "sentiment_confidence",
    "topic_accuracy",
    "sentiment_accuracy",
    "embedding",
)
DRIFT_EFFECT = Gauge(
    "opinion_models_drift_effect", "Effect size over all documents, as of the last check, by measure.", ["measure"]
)
DRIFT_THRESHOLD = Gauge(
    "opinion_models_drift_threshold", "An effect above it is drift, as of the last check, by measure.", ["measure"]
)
DRIFT_LAST_CHECK = Gauge("opinion_models_drift_last_check_timestamp_seconds", "When drift was last looked for.")
DRIFT_ASKS_FOR_LABELS = Gauge(
    "opinion_models_drift_asks_for_labels", "1 while drift cannot be learned from for want of labels."
)
ESTIMATED_ACCURACY = Gauge(
    "opinion_models_estimated_accuracy", "Accuracy on the newest documents, estimated without their labels.", ["head"]
)
TOPIC_PROPOSALS = Gauge("opinion_models_topic_proposals", "New topics proposed by the last check.")

INCIDENTS = Counter("opinion_alerts_incidents_total", "Incident transitions.", ["transition"])
DEAD_LETTER_SHARE = Gauge(
    "opinion_alerts_dead_letter_share", "Share of raw records dead-lettered, in the last window that was judged."
)
SOURCE_STATES = ("new", "ok", "late", "silent", "ended")
SOURCES = Gauge("opinion_alerts_sources", "Sources by how they are, as of the last look.", ["state"])
DELIVERIES = Counter("opinion_alerts_deliveries_total", "Notification attempts.", ["channel", "outcome"])
DELIVERY_SECONDS = Histogram(
    "opinion_alerts_delivery_seconds",
    "One attempt to deliver a notification.",
    ["channel"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
OUTBOX_STATUSES = ("pending", "dead")
OUTBOX = Gauge("opinion_alerts_outbox_messages", "Notifications that wait, and those that were given up.", ["status"])
RECEIVERS_PAUSED = Gauge(
    "opinion_alerts_receivers_paused",
    "Receivers that are left alone for a while, because they failed or asked for it.",
)
DETECT_SECONDS = Histogram("opinion_alerts_detect_seconds", "One run of the detect job.")
TRAINING_OUTCOMES = ("judged", "failed")
TRAINING_DEV_FIGURES = ("topic_macro_f1", "sentiment_macro_f1", "macro_f1")
TRAINING_IS_RUNNING = Gauge("opinion_training_is_running", "1 while this process has a retrain run at work.")
TRAINING_STEPS = Gauge("opinion_training_steps", "Steps done of the training at work, or of the last one.")
TRAINING_STEPS_WANTED = Gauge("opinion_training_wanted_steps", "Steps that it makes if it does not stop early.")
TRAINING_DEV = Gauge("opinion_training_dev_macro_f1", "Its latest macro-F1 on dev, by what it is of.", ["figure"])
TRAINING_PEAK_BYTES = Gauge(
    "opinion_training_peak_memory_bytes", "Most memory that the processes of the last training held at once."
)
TRAINING_RUNS = Counter("opinion_training_runs_total", "Retrain runs that trained, by how they ended.", ["outcome"])

IS_ACTIVE_SCHEDULER = Gauge("opinion_scheduler_is_active", "1 in the scheduler that holds the lease.")
TAKEOVERS = Counter("opinion_scheduler_takeovers_total", "Times this process became the active scheduler.")
SILENT_HOLDERS = Counter(
    "opinion_scheduler_silent_holders_total",
    "Active schedulers that showed no sign of life and whose sessions this process ended.",
)
JOB_RUNS = Counter("opinion_scheduler_job_runs_total", "Scheduled jobs, by outcome.", ["job", "outcome"])
JOB_SECONDS = Histogram(
    "opinion_scheduler_job_seconds",
    "One run of a scheduled job.",
    ["job"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800, 7200),
)
JOB_LAST_RUN = Gauge(
    "opinion_scheduler_job_last_run_timestamp_seconds",
    "When a run of the job last ended, well or not; take the newest of all schedulers.",
    ["job"],
)

AUDIT_HOLES = Gauge("opinion_audit_holes", "Stretches of raw offsets that nobody settled though later ones were.")
AUDIT_EXPIRED = Gauge("opinion_audit_expired_records", "Raw records that left the log before anybody read them.")
AUDIT_UNSETTLED = Gauge(
    "opinion_audit_unsettled_records", "Raw records that the group has acknowledged and the ledger has not settled."
)
AUDIT_AHEAD = Gauge("opinion_audit_ahead_records", "Raw offsets that the ledger has settled beyond the log's end.")
AUDIT_DIFFERENCES = Gauge("opinion_audit_count_differences", "Minute counts known to differ from their rows.")
AUDIT_ROW_FAULTS = Gauge(
    "opinion_audit_row_faults", "Documents, keys and histories known not to belong together.", ["kind"]
)
AUDIT_PARTITION_FAULTS = Gauge("opinion_audit_partition_faults", "What is wrong with the partitions of `document`.")
AUDIT_ROWS = Counter("opinion_audit_rows_total", "Documents and keys that the scheduled audit has read.")
AUDIT_LEDGER_LINES = Gauge("opinion_audit_ledger_lines", "Lines of the offset ledger, merged ones counted once.")
AUDIT_LAST_SUCCESS = Gauge(
    "opinion_audit_last_success_timestamp_seconds", "When a scheduled audit last ran to its end, whatever it found."
)
AUDIT_LAST_ROUND = Gauge(
    "opinion_audit_last_round_timestamp_seconds", "When every stored row had last been checked; 0 before the first."
)
AUDIT_SECONDS = Histogram(
    "opinion_audit_seconds", "One run of the audit job.", buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
)

ROLL_UP_WAITING = Gauge(
    "opinion_roll_up_waiting_hours", "Hours whose counts are summed from minutes at each query, not rolled up yet."
)

SEARCH_WAITING = Gauge("opinion_search_waiting_documents", "Settled documents that no search index has yet.")
SEARCH_INDEXES = Gauge("opinion_search_indexes", "Search indexes, each over a stretch of one month.")
SEARCH_LAST_BUILD = Gauge("opinion_search_last_build_timestamp_seconds", "When a search index was last built.")
SEARCH_BUILD_SECONDS = Histogram(
    "opinion_search_build_seconds", "Building one search index.", buckets=(1, 5, 10, 30, 60, 300, 1800, 7200)
)

REQUEST_SECONDS = Histogram(
    "opinion_web_request_seconds",
    "Answering a request for a page or the API, by route.",
    ["route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

PUSHED = Counter(
    "opinion_web_pushed_documents_total", "Documents pushed over HTTP, by what became of them.", ["outcome"]
)
PUSH_IN_FLIGHT = Gauge("opinion_web_push_in_flight_bytes", "Bodies of pushed documents that are being worked on.")

STREAM_READERS = Gauge("opinion_web_stream_readers", "Connections to the live streams now.", ["stream"])
STREAM_STRETCHES = Counter(
    "opinion_web_stream_stretches_total",
    "Stretches of older records that were read again from Kafka, for readers that were away or are slow.",
    ["stream"],
)
STREAM_GAPS = Counter("opinion_web_stream_gaps_total", "Gaps that readers were told of.", ["stream"])

STEPS = ("offsets", "decode", "classify", "store", "publish", "dead_letter")
for _fate in FATES:
    RECORDS.labels(_fate)
for _reason in REJECT_REASONS:
    REJECTED.labels(_reason)
for _outcome in ("ok", "not_modified", *FETCH_REASONS):
    FETCHES.labels(_outcome)
for _outcome in ("changed", "unchanged", "failed"):
    FEED_POLLS.labels(_outcome)
for _fate in ("produced", "known", "rejected"):
    FEED_ENTRIES.labels(_fate)
for _state in ("new", "ok", "failing"):
    FEEDS.labels(_state)
for _step in STEPS:
    RETRIES.labels(_step)
    WAITING.labels(_step)
    STEP_SECONDS.labels(_step)
for _fate in ("stored", "repeat", "dead_lettered"):
    LABELS.labels(_fate)
for _kind in ("document_without_key", "key_without_document", "history_broken", "mention_without_document"):
    AUDIT_ROW_FAULTS.labels(_kind)
for _answered_by in ("model", "cache", "in_flight"):
    TEXTS.labels(_answered_by)
for _outcome in ("accepted", "refused"):
    PUSHED.labels(_outcome)
for _stream in ("document", "incident"):
    STREAM_READERS.labels(_stream)
    STREAM_STRETCHES.labels(_stream)
    STREAM_GAPS.labels(_stream)
for _state in SOURCE_STATES:
    SOURCES.labels(_state)
for _outcome in TRAINING_OUTCOMES:
    TRAINING_RUNS.labels(_outcome)
for _figure in TRAINING_DEV_FIGURES:
    TRAINING_DEV.labels(_figure)
for _measure in DRIFT_MEASURES:
    DRIFT_EFFECT.labels(_measure)
    DRIFT_THRESHOLD.labels(_measure)
for _head in ("topic", "sentiment"):
    ESTIMATED_ACCURACY.labels(_head)
for _status in OUTBOX_STATUSES:
    OUTBOX.labels(_status)
