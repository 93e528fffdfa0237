"""Settings, read once at the edge and passed on as plain values.

Order: arguments, environment (`OPINION_…`, nested by `__`), `.env`, `opinion.yaml` (or the file named by
`OPINION_CONFIG`), defaults. A wrong value stops the start and names the file and line.
"""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)

from core.channels import ChannelSettings, repeated_names
from core.errors import ConfigError
from core.roles import Role
from core.scripts import LATIN_LANGUAGES
from core.taxonomy import UNCERTAIN_BELOW


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KafkaSettings(_Section):
    """The broker and our topics on it."""

    topic_prefix: str = Field("", pattern=r"^[a-zA-Z0-9.-]*$", description="Put before every topic name.")
    partitions: int = Field(8, ge=1, description="Partitions of a topic that `topics apply` creates.")
    replication: int = Field(1, ge=1, description="Replicas of a topic; 3 on a real cluster.")
    min_insync_replicas: int = Field(1, ge=1, description="2 on a real cluster.")
    raw_retention: timedelta = Field(timedelta(days=14), description="How long raw documents stay readable.")


class WorkerSettings(_Section):
    """One Faust worker."""

    batch_records: int = Field(256, ge=1, le=4096, description="Most records a batch may hold.")
    batch_wait_seconds: float = Field(
        0.2, gt=0, le=10, description="How long a record waits for others to share its batch."
    )
    max_text_chars: int = Field(50_000, ge=100, description="Longer texts are dead-lettered.")
    max_value_bytes: int = Field(1_000_000, ge=1000, description="Larger raw values are dead-lettered.")
    max_future: timedelta = Field(timedelta(hours=24), description="Later `published_at` is dead-lettered.")
    languages: tuple[str, ...] = Field(
        ("en", "de", "fr", "es", "pt", "it", "id", "vi", "tr"),
        description="ISO 639-1 codes of what a text in Latin script may be in, where the crawler does not say; "
        "`[en]` alone saves a worker 30 MB.",
    )

    @field_validator("languages")
    @classmethod
    def _languages_are_known(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [code for code in codes if code not in LATIN_LANGUAGES]:
            raise ValueError(
                f"cannot be told: {', '.join(unknown)}; understood are {' '.join(sorted(LATIN_LANGUAGES))}"
            )
        return codes

    stall_seconds: float = Field(
        60,
        gt=1,
        description="A partition without progress for so long ends the worker; for half of it, fails /readyz.",
    )
    probes_host: str = Field("127.0.0.1", description="Where /healthz, /readyz and /metrics listen.")
    probes_port: int = Field(0, ge=0, le=65535, description="0 picks a free port.")


class ModelSettings(_Section):
    """Classifier and its home."""

    checkpoint: str = Field(
        "starter", description="What workers use until a model is promoted: `starter`, a folder or a hub id."
    )
    base: str | None = Field(
        None,
        description="Encoder for recipes that name none: a hub id, a folder, `package:NAME/FOLDER` or `e5-small`.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="`auto` takes CUDA where there is one.")
    batch_tokens: int = Field(
        0,
        ge=0,
        description="Tokens, padding included, in one forward pass; 0 takes 1,024 on CPUs and 16,384 on CUDA.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="What the encoder computes in; `auto` takes bfloat16 where the hardware is faster in it."
    )
    max_length: int = Field(256, ge=16, description="A text of more tokens is read in windows.")
    window_tokens: int = Field(128, ge=16, description="Tokens in one window of a long text.")
    max_windows: int = Field(64, ge=1, description="Windows read of one text, spread evenly over a longer one.")
    decisive_score: float = Field(
        0.7, ge=0, description="A window negative with this score makes its long text negative; above 1 none does."
    )
    cache_entries: int = Field(20_000, ge=0, description="Answers kept for identical texts.")
    threads: int = Field(0, ge=0, description="CPU threads per process for the model; 0 lets torch choose.")
    uncertain_below: float = Field(
        UNCERTAIN_BELOW, ge=0, le=1, description="A head whose best score is lower marks its answer as uncertain."
    )


class DetectSettings(_Section):
    """The spike detector."""

    bucket: timedelta = Field(timedelta(minutes=5), description="Event time is judged in pieces so long.")
    lateness: timedelta = Field(timedelta(minutes=2), description="A bucket closes so long after its end.")
    correction: timedelta = Field(timedelta(minutes=60), description="So long a closed bucket is judged again.")
    sensitivity: Literal["high", "medium", "low"] = Field("medium", description="How little is a surge.")
    learning_buckets: int = Field(144, ge=1, description="No alert before so many buckets were seen.")
    learning_documents: int = Field(50, ge=0, description="No alert before so many documents were seen.")
    min_negatives_per_hour: int = Field(5, ge=1, description="Fewer in the last hour are never a surge.")
    every: timedelta = Field(timedelta(seconds=15), description="How often the detect job runs.")
    rules_file: Path | None = Field(
        None, description="YAML file of rules, beside those that people make; read again whenever it changes."
    )


class GuardSettings(_Section):
    """What keeps many series from alarming together by chance, or for one reason."""

    false_buckets_per_thousand: float = Field(
        30.0, gt=0, description="Buckets that may fire by chance, a day and for a thousand series."
    )
    platform_share: float = Field(
        0.05, gt=0, le=1, description="If more of all series fire within an hour, it is one incident."
    )
    platform_series: int = Field(8, ge=2, description="Fewer series that fire together never are.")


class DeadLetterSettings(_Section):
    """The built-in alert on dead letters."""

    window: timedelta = Field(
        timedelta(minutes=10), ge=timedelta(minutes=1), description="Judged together, by the records' Kafka time."
    )
    share: float = Field(0.05, gt=0, le=1, description="Of all raw records, at least so much is an alert.")
    min_records: int = Field(20, ge=1, description="Fewer dead letters in a window are never an alert.")


class AlertSettings(_Section):
    """Where alerts go."""

    channels: list[ChannelSettings] = Field(
        default_factory=list, description="Receivers, each with `name`, `type` and what the type needs."
    )
    webhooks: list[str] = Field(default_factory=list, description="Short form: URLs that get Alertmanager v4 bodies.")
    apprise: list[SecretStr] = Field(default_factory=list, description="Short form: apprise URLs; they hold secrets.")
    webhook_secret: SecretStr | None = Field(None, description="Signs the bodies to `webhooks` (HMAC-SHA256).")
    allow_private_addresses: bool = Field(False, description="Let every channel reach private and loopback hosts.")
    timeout_seconds: float = Field(10, gt=0, description="How long a receiver may take to answer.")
    attempts: int = Field(12, ge=1, description="A delivery is dead after so many; twelve take two and a half hours.")
    console_url: str = Field("http://127.0.0.1:8080", description="Put into alerts as the link back.")
    phone_links: timedelta = Field(
        timedelta(days=7),
        ge=timedelta(0),
        description="So long the link of a message to people shows its incident, and lets them acknowledge it, "
        "without a login; 0: never. None is made while console_url is this machine only.",
    )
    dead_letters: DeadLetterSettings = DeadLetterSettings()

    @field_validator("channels")
    @classmethod
    def _names_are_unique(cls, channels: list[ChannelSettings]) -> list[ChannelSettings]:
        if repeated := repeated_names(channels):
            raise ValueError(f"more than one channel is named {', '.join(repeated)}")
        return channels


class SchedulerSettings(_Section):
    """The process that detects, delivers and retrains."""

    probes_host: str = Field("127.0.0.1", description="Where /healthz, /readyz and /metrics listen.")
    probes_port: int = Field(0, ge=0, le=65535, description="0 picks a free port.")


class RetrainSettings(_Section):
    """Fine-tuning on new labels, as the scheduler begins it."""

    every: timedelta = Field(
        timedelta(hours=24),
        description="After so long the labels that came meanwhile are learned, if they are min_scheduled_labels.",
    )
    min_new_labels: int = Field(200, ge=1, description="So many new labels are learned at once.")
    min_scheduled_labels: int = Field(20, ge=1, description="Fewer new labels than this: no run when its time comes.")
    held_out_share: float = Field(
        0.2, gt=0, lt=1, description="Of the labelled texts, the newest first: for the gate, never trained on."
    )
    epochs: float = Field(4, gt=0, description="Most passes over the labels; early stopping may take fewer.")
    learning_rate: float = Field(
        0,
        ge=0,
        description="0 goes by the model's size: 5e-4 below 15 million weights, 5e-5 below 60, else 2e-5; five times "
        "that with lora, ten times with heads.",
    )
    method: Literal["full", "lora", "heads"] = Field(
        "full",
        description="Which weights move: all, low-rank steps beside them (merged at the end), the heads alone.",
    )
    micro_tokens: int = Field(
        8192,
        ge=16,
        description="Most tokens of one pass; larger batches are worked off in pieces. Bounds the memory.",
    )
    processes: int = Field(0, ge=0, description="That train together; 0 takes one for each GPU, or one on a CPU.")
    most_memory_mb: int = Field(0, ge=0, description="A training that holds more memory is ended; 0 sets no bound.")
    pause_lag: int = Field(
        20_000, ge=0, description="Raw records that wait for the workers before a training waits too; 0 never waits."
    )


class SamplingSettings(_Section):
    """What people are asked to label next."""

    every: timedelta = Field(timedelta(minutes=5), description="How often the scheduler looks after the queue.")
    length: int = Field(200, ge=0, le=5000, description="So many documents wait for an answer; 0 fills no queue.")
    recent: timedelta = Field(
        timedelta(hours=24), gt=timedelta(0), description="Documents of the newest stretch, so long, are drawn from."
    )
    candidates: int = Field(
        2000, ge=10, le=5000, description="Documents drawn for one fill, of which few are chosen."
    )
    keep: timedelta = Field(timedelta(days=7), description="A document that nobody answered for so long is dropped.")
    random_share: float = Field(
        0.15, ge=0, le=1, description="Drawn by chance: they say how good the model is. 0 gives that up."
    )
    alert_share: float = Field(0.15, ge=0, le=1, description="Of documents that incidents may hang on.")
    diverse_share: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Of documents like no labelled one; what the shares leave goes to uncertain ones.",
    )
    double_share: float = Field(0.1, ge=0, le=1, description="So many are answered by two people, for agreement.")

    @model_validator(mode="after")
    def _leave_room(self) -> Self:
        if self.random_share + self.alert_share + self.diverse_share > 1:
            raise ValueError("random_share, alert_share and diverse_share are more than 1 together")
        return self


class GateSettings(_Section):
    """What a candidate must show to follow the champion; shares, where nothing else is said."""

    policy: Literal["better", "not worse"] = Field(
        "better",
        description="`better`: the interval of its gain in macro-F1 lies above 0; `not worse`: above -margin.",
    )
    margin: float = Field(0.01, ge=0, le=1, description="How much macro-F1 the policy `not worse` may lose.")
    confidence: float = Field(0.9, gt=0.5, lt=1, description="Share of the resamples within an interval.")
    resamples: int = Field(2000, ge=200, le=100_000, description="How often the texts are drawn anew.")
    slice_rows: int = Field(30, ge=1, description="A slice with fewer answered texts is not judged.")
    slice_margin: float = Field(0.05, ge=0, le=1, description="How much of its right answers a slice may lose.")
    calibration_margin: float = Field(
        0.03, ge=0, le=1, description="By how much a head's calibration error may rise."
    )
    most_slowdown: float = Field(1.5, ge=1, description="How many times as long the same texts may take.")


class ShadowSettings(_Section):
    """What an accepted candidate says of live documents beside the champion, before it is promoted."""

    documents: int = Field(
        2_000, ge=0, description="Live documents that a candidate judges before it is promoted; 0: at once."
    )
    hours: float = Field(
        12, gt=0, le=720, description="A shadow ends after so long, whatever it has read; less than `retrain.every`."
    )
    fewest_documents: int = Field(
        200, ge=1, description="A shadow that has read fewer, newest stored ones included, decides nothing."
    )
    window: timedelta = Field(
        timedelta(hours=6),
        ge=timedelta(0),
        le=timedelta(days=7),
        description="At first so much of what is stored is read, all of it, to compare incidents.",
    )
    window_documents: int = Field(
        20_000, ge=0, description="Most documents of that window; it begins later if need be."
    )
    share: float = Field(1, gt=0, le=1, description="Of the live documents, most; less where they come too fast.")
    per_minute: int = Field(1_200, ge=1, description="Most documents that a candidate reads in a minute.")
    promote: Literal["automatic", "manual"] = Field(
        "automatic", description="`manual` leaves it to a person even if no bound is broken."
    )
    negative_change: float = Field(
        0.2, ge=0, description="Negatives may become more or fewer by so much, as a share of the champion's."
    )
    incidents_gained: int = Field(2, ge=0, description="Incidents that only the candidate's verdicts may make.")
    incidents_lost: int = Field(1, ge=0, description="Incidents that only the champion's verdicts may make.")
    failures: int = Field(0, ge=0, description="Documents that the candidate may fail on.")
    slower: float = Field(2, ge=1, description="A candidate may take so many times the champion's time.")


class RegistrySettings(_Section):
    """Where models are kept, and for how long."""

    url: SecretStr | None = Field(
        None,
        description="A store that all machines reach, by its fsspec URL: `s3://bucket/prefix`, `file:///mnt/models`; "
        "empty keeps models in `<home>/models` alone. Credentials belong in the environment.",
    )
    keep: int = Field(5, ge=1, description="Champions before the present one, and newest candidates, that are kept.")
    tidy_every: timedelta = Field(
        timedelta(hours=1),
        ge=timedelta(minutes=1),
        description="How often models are brought to the store that it lacks, and the files of old ones removed.",
    )


class DriftSettings(_Section):
    """Checks for drift: how far the newest documents are from those that the champion took over with."""

    every: timedelta = Field(
        timedelta(hours=24), ge=timedelta(minutes=10), description="How often drift is looked for."
    )
    reference: timedelta = Field(
        timedelta(days=28), ge=timedelta(days=1), description="Documents of so long before the champion took over."
    )
    window: timedelta = Field(
        timedelta(days=7), ge=timedelta(hours=1), description="The newest documents that are held against them."
    )
    documents: int = Field(1000, ge=200, description="So many of the newest are read, and twice as many before.")
    min_labels: int = Field(
        100, ge=1, description="So many new texts must be labelled since drift began before it starts a run."
    )
    cool_down: timedelta = Field(timedelta(days=3), description="Drift starts no run so soon after another one.")


class AuditSettings(_Section):
    """The scheduled audit."""

    every: timedelta = Field(timedelta(minutes=1), description="How often a piece of what is stored is checked.")
    rows: int = Field(20_000, ge=100, description="About how many documents and keys one run reads.")
    keep_lines: timedelta = Field(
        timedelta(hours=24), ge=timedelta(hours=1), description="Ledger lines older than this are merged."
    )


class PrivacySettings(_Section):
    """Whose names and texts are kept, and how."""

    author_key: SecretStr | None = Field(
        None,
        description="Makes authors pseudonyms (HMAC-SHA256), 16 characters or more; if empty, a key is made and "
        "kept in `<home>/author.key`. The same for every worker.",
    )
    former_author_keys: list[SecretStr] = Field(
        default_factory=list,
        description="Keys used before, so that people who opted out or ask for erasure are found.",
    )


class RetentionSettings(_Section):
    """How long documents are kept."""

    documents: timedelta | None = Field(
        None,
        ge=timedelta(days=1),
        description="Whole months (UTC) of documents older than this are dropped, counts stay; empty keeps them.",
    )
    every: timedelta = Field(
        timedelta(hours=1), ge=timedelta(minutes=1), description="How often expired months are looked for."
    )


class CopySettings(_Section):
    """Copies of one text."""

    window: timedelta = Field(
        timedelta(days=7),
        ge=timedelta(days=0),
        le=timedelta(days=366),
        description="Documents published more days apart are never copies of one another; the same for every worker.",
    )


class SearchSettings(_Section):
    """The search indexes that the scheduler builds."""

    every: timedelta = Field(timedelta(minutes=1), description="How often the search job looks for documents.")
    slice_documents: int = Field(
        10_000, ge=1_000, description="So many settled documents of an open month make a search index."
    )
    settle: timedelta = Field(
        timedelta(minutes=10),
        ge=timedelta(0),
        description="A minute is indexed so long after its end; storing later documents of it costs more.",
    )


class OidcSettings(_Section):
    """Another server that vouches for people: OpenID Connect."""

    issuer: str | None = Field(
        None,
        pattern=r"^https?://[^\s?#]+$",
        description="Its address as it states it itself, such as `https://id.example.org/realms/main`; empty: none.",
    )
    client_id: str = Field("", description="Under which this console is known there.")
    client_secret: SecretStr | None = Field(None, description="Empty for a public client; PKCE is used either way.")
    scopes: list[str] = Field(["openid", "profile", "email"], description="What is asked for.")
    name_claim: str = Field("preferred_username", description="What people are called by here.")
    role_claim: str = Field("", description="Claim that holds groups or roles; empty: roles are given here.")
    roles: dict[str, Role] = Field(
        default_factory=dict, description='The role of each value of that claim, such as `{"desk": "analyst"}`.'
    )
    default_role: Role | None = Field("viewer", description="Of who has none of them; null keeps them out.")
    allowed_domains: list[str] = Field(
        default_factory=list, description="Domains of verified e-mail addresses that may come in; empty: any."
    )

    @model_validator(mode="after")
    def _has_client(self) -> Self:
        if self.issuer and not self.client_id:
            raise ValueError("client_id is needed with issuer")
        if self.issuer and "openid" not in self.scopes:
            raise ValueError("scopes need openid")
        return self


class WebSettings(_Section):
    """The console."""

    host: str = Field("127.0.0.1", description="Address to listen on; others than loopback open it to a network.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    access: Literal["accounts", "open"] = Field(
        "accounts", description="`accounts`: people log in; `open`: whoever reaches the console may do everything."
    )
    allowed_hosts: list[str] = Field(
        default_factory=list,
        description="Names under which people open the console, such as `opinion.example.org`; addresses and "
        "`localhost` need none.",
    )
    trusted_proxies: list[str] = Field(
        default_factory=list,
        description="Addresses or networks of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.",
    )
    session_idle: timedelta = Field(
        timedelta(hours=8), ge=timedelta(minutes=1), description="A session ends after so long without a request."
    )
    session_longest: timedelta = Field(
        timedelta(days=7), ge=timedelta(minutes=1), description="A session ends after so long in any case."
    )
    oidc: OidcSettings = OidcSettings()


class LabellingSettings(_Section):
    """People's answers in the console."""

    guideline: str = Field(
        "1", max_length=100, description="Version of the guideline that annotators go by; kept with every answer."
    )


class FeedSettings(_Section):
    """Polling RSS and Atom feeds, and the pages they link to."""

    user_agent: str = Field(
        "opinion-pipeline",
        pattern=r"^[A-Za-z_-]+(/[\w.+-]+)?( [ -~]+)?$",
        description="Sent to hosts: `name/version (+address for complaints)`; robots.txt goes by the name.",
    )
    every: timedelta = Field(
        timedelta(minutes=15),
        ge=timedelta(minutes=1),
        description="How often a feed is polled that says nothing else.",
    )
    concurrency: int = Field(32, ge=1, le=256, description="Feeds polled side by side, never two of one host.")
    host_interval_seconds: float = Field(
        1, ge=0, le=60, description="Least time between two requests to one host; robots.txt may ask for more."
    )
    connect_seconds: float = Field(10, gt=0, description="How long a host may take to accept a connection.")
    read_seconds: float = Field(20, gt=0, description="How long it may say nothing.")
    total_seconds: float = Field(60, gt=0, description="How long one answer may take, redirects included.")
    max_bytes: int = Field(5_000_000, ge=1000, description="Larger answers are refused, before and after unpacking.")
    max_articles: int = Field(
        20, ge=1, description="Linked pages read in one poll; the entries after them come with the next."
    )
    allowed_networks: list[IPvAnyNetwork] = Field(
        default_factory=list, description="Private networks that may be reached all the same, such as `10.1.0.0/16`."
    )


class StreamSettings(_Section):
    """The live streams of the console."""

    most_readers: int = Field(1000, ge=1, description="Connections to `/api/v1/stream` at once, of one console.")
    side_readers: int = Field(
        4, ge=1, le=64, description="How many of them read older records again from Kafka at the same time."
    )
    ping_seconds: float = Field(15, gt=0, le=300, description="A connection without an event gets a ping so often.")


class ReportSettings(_Section):
    """Daily and weekly reports that the scheduler makes for the console."""

    daily: bool = Field(True, description="One for each local day that is over.")
    weekly: bool = Field(True, description="One for each week, Monday to Sunday.")
    at: str = Field("07:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="Local time from which they are made.")
    watchlists: list[str] = Field(
        ["*"], description="Beside the report of everything, one of each of these; `*`: of all there are."
    )
    languages: list[Literal["zh", "en"]] = Field(["zh", "en"], min_length=1, description="In which they are told.")
    pdf: bool = Field(False, description="Make a PDF of each, too; needs Chromium.")
    chromium: Path | None = Field(None, description="The browser that prints; found by its name if empty.")
    keep: timedelta = Field(timedelta(days=90), gt=timedelta(0), description="How long they are kept.")


class SourceHealthSettings(_Section):
    """When a source counts as late or silent."""

    every: timedelta = Field(timedelta(minutes=1), description="How often the sources are looked at.")
    late: float = Field(1e-4, gt=0, lt=1, description="A pause that has no more chance than this is late.")
    silent: float = Field(1e-8, gt=0, lt=1, description="And with no more than this, silent.")
    quiet: timedelta = Field(timedelta(minutes=15), description="A shorter pause is never told of.")
    watched: timedelta = Field(timedelta(hours=24), description="So long a source is watched before it is judged.")
    forgotten: timedelta = Field(timedelta(days=30), description="After such a silence a source counts as ended.")


class PushSettings(_Section):
    """Documents over HTTP: `POST /api/v1/documents` of the console."""

    max_body_bytes: int = Field(10_000_000, ge=1000, description="Larger bodies, unpacked, are refused with 413.")
    max_documents: int = Field(10_000, ge=1, description="More documents in one body are refused with 413.")
    in_flight_bytes: int = Field(
        64_000_000, ge=1000, description="When bodies of so many bytes are under way, others are put off with 429."
    )
    answer_seconds: float = Field(
        15, gt=0, le=600, description="A broker that has not taken all by then is answered with 503."
    )


class Settings(BaseSettings):
    """Everything that can be configured. Immutable; see the module docstring for where values come from."""

    model_config = SettingsConfigDict(
        env_prefix="OPINION_",
        env_nested_delimiter="__",
        env_file=".env",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,  # it may be a secret
    )

    home: Path = Field(Path("var"), description="Data of embedded servers, models, logs.")
    kafka_bootstrap: str | None = Field(None, description="host:port[,host:port]; empty starts the embedded Kafka.")
    database_url: SecretStr | None = Field(
        None, description="postgresql://user:password@host/database; empty starts the embedded PostgreSQL."
    )
    timezone: str = Field("Asia/Shanghai", description="For times without a zone and for local days.")
    group: str = Field("opinion-pipeline", description="The Kafka consumer group of the workers.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is worth a line.")
    log_format: Literal["auto", "json", "console"] = Field("auto", description="`auto`: JSON unless on a terminal.")
    maven_repo: str | None = Field(None, description="A Maven mirror for the embedded Kafka's jars.")
    watchlists: Path | None = Field(
        None,
        description="YAML file of watchlists, beside those that people add; brought into SQL when a worker starts.",
    )
    jars: Path | None = Field(None, description="Where the embedded Kafka's jars are kept; `<home>/jars` if empty.")
    kafka: KafkaSettings = KafkaSettings()
    worker: WorkerSettings = WorkerSettings()
    models: ModelSettings = ModelSettings()
    detect: DetectSettings = DetectSettings()
    guards: GuardSettings = GuardSettings()
    alerts: AlertSettings = AlertSettings()
    scheduler: SchedulerSettings = SchedulerSettings()
    retrain: RetrainSettings = RetrainSettings()
    sampling: SamplingSettings = SamplingSettings()
    gate: GateSettings = GateSettings()
    shadow: ShadowSettings = ShadowSettings()
    registry: RegistrySettings = RegistrySettings()
    audit: AuditSettings = AuditSettings()
    privacy: PrivacySettings = PrivacySettings()
    retention: RetentionSettings = RetentionSettings()
    search: SearchSettings = SearchSettings()
    web: WebSettings = WebSettings()
    labelling: LabellingSettings = LabellingSettings()
    feeds: FeedSettings = FeedSettings()
    push: PushSettings = PushSettings()
    stream: StreamSettings = StreamSettings()
    reports: ReportSettings = ReportSettings()
    source_health: SourceHealthSettings = SourceHealthSettings()
    copies: CopySettings = CopySettings()
    drift: DriftSettings = DriftSettings()

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError) as error:
            raise ValueError(f"no such time zone: {name!r}; try Asia/Shanghai or UTC") from error
        return name

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (
            init_settings,
            env_settings,
            dotenv_settings,
            YamlConfigSettingsSource(settings_cls, yaml_file=config_file()),
        )


def config_file() -> Path:
    """The YAML file that settings are read from, whether it exists or not."""
    return Path(os.environ.get("OPINION_CONFIG", "opinion.yaml"))


def load_settings(**overrides: Any) -> Settings:
    """Read the settings.

    Raises:
        ConfigError: a value cannot be used; the message names each field, its place and the cause.
    """
    path = config_file()
    if "OPINION_CONFIG" in os.environ and not path.is_file():
        raise ConfigError(f"OPINION_CONFIG names {path}, which does not exist")
    try:
        return Settings(**overrides)
    except ValidationError as error:
        problems = "\n".join(f"  {_place(path, item['loc'])}: {item['msg']}" for item in error.errors())
        raise ConfigError(
            f"the settings cannot be used:\n{problems}",
            remedy="docs/reference/settings.md lists every setting",
        ) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(f"{place}: {error.problem}", remedy="mend the YAML syntax there") from error


def _place(path: Path, loc: tuple[int | str, ...]) -> str:
    """`file:line key` when the value stands in the YAML file, else the environment variable's name."""
    keys = [str(part) for part in loc]
    variable = "OPINION_" + "__".join(keys).upper()
    for depth in range(len(keys), 0, -1):  # a list is one variable
        outer = "OPINION_" + "__".join(keys[:depth]).upper()
        if outer in os.environ:
            return " ".join([outer, ".".join(keys[depth:])]).strip()
    if not path.is_file():
        return variable
    node = yaml.compose(path.read_text(encoding="utf-8"))
    line = None
    for key in keys:
        if isinstance(node, yaml.SequenceNode) and key.isdigit() and int(key) < len(node.value):
            node = node.value[int(key)]
            line = node.start_mark.line + 1
            continue
        if not isinstance(node, yaml.MappingNode):
            break
        for key_node, value_node in node.value:
            if key_node.value == key:
                line, node = key_node.start_mark.line + 1, value_node
                break
        else:
            break
    return f"{path}:{line} {'.'.join(keys)}" if line else variable
