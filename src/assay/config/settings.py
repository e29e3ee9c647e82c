"""The settings as a tree of checked values. Every key is documented by its description here;
`docs/reference/settings.md` is generated from them."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from assay.errors import ConfigError
from assay.records import Goal, Level, Severity, Unit

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)]
ListName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*([.][a-z]{2,3})?$", max_length=64)
]
Phrase = Annotated[str, StringConstraints(max_length=300)]
Rate = Annotated[float, Field(gt=0, le=1)]
Size = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, le=1000)]
PartKind = Literal["uniform", "importance", "rare", "diverse", "stratified", "exhaustive"]
Allocation = Literal["proportional", "equal", "neyman"]
Redaction = Literal["off", "mask", "hash", "drop"]


class Section(BaseModel):
    """A table of assay.toml: unknown keys are errors, values never change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ProjectSettings(Section):
    name: str = Field("my-assistant", description="The name on every page.", min_length=1, max_length=100)
    metrics: str = Field("metrics.py", description="The Python file that defines metrics, beside assay.toml.")
    prices: str = Field(
        "", description="A file of prices with dates beside assay.toml, in the form of the shipped table."
    )
    headline: str = Field("", description="The metric that answers 'how are we doing': the first, if empty.")


class StoreSettings(Section):
    telemetry: str = Field(
        "",
        description="Where spans, signals and scores live: `chdb:///path` (in this process; the default is "
        "`.assay/telemetry` beside assay.toml) or `clickhouse://user:password@host:8123/database`.",
    )
    state: str = Field(
        "",
        description="Where policies, metric versions and runs live: `sqlite:///path` (default "
        "`.assay/state.db`) or `postgresql://user:password@host/database`.",
    )
    reserve_mb: int = Field(200, ge=0, description="Refuse to write when less disk than this is free.")
    memory_mb: int = Field(
        1_200, ge=400, description="The most memory that the embedded engine takes for its work."
    )
    threads: int = Field(2, ge=1, le=64, description="Processors that one query may use, embedded.")
    merge_threads: int = Field(
        2, ge=1, le=16, description="Threads that keep tables in order in the background, embedded."
    )


class ServerSettings(Section):
    host: str = Field("127.0.0.1", description="The address to listen on. There is no log-in yet: keep it.")
    port: int = Field(4318, ge=0, le=65535, description="4318 is where OTLP exporters send by default.")
    grpc_port: int = Field(
        4317, ge=-1, le=65535, description="Where OTLP comes in over gRPC. 0 takes a free port, -1 none."
    )
    allowed_hosts: tuple[str, ...] = Field((), description="Further host names that browsers may use.")
    settle_every_s: float = Field(10.0, gt=0, description="How often new conversations get their signals.")
    sample: bool = Field(
        True, description="Whether policies decide on logs as they settle; off, `assay sample` does."
    )
    decide_every_s: float = Field(
        60.0, ge=0, description="The longest that settled logs wait for a policy; 200 of them wait no longer."
    )


class IngestSettings(Section):
    max_request_mb: float = Field(64.0, gt=0, description="Largest request, after decompression.")
    max_attribute_mb: float = Field(4.0, gt=0, description="Largest value of one span attribute.")
    max_waiting_mb: float = Field(
        1024.0, gt=0, description="What the journal may hold that the store has not yet; beyond it: 503."
    )


class RedactionSettings(Section):
    method: Redaction = Field(
        "off",
        description="What becomes of personal data and secrets before anything is written: `off`, `mask` "
        "(`[email]`), `hash` (`[email:3f9a...]`, the same for the same value) or `drop` (the whole text).",
    )
    methods: dict[Name, Redaction] = Field(
        default_factory=dict,
        description="A method for one kind: `secret`, `iban`, `card`, `email`, `ip`, `phone`, one of "
        "`patterns` or, of `entities`, `person`.",
    )
    patterns: dict[Name, str] = Field(
        default_factory=dict, description="Your own, by name: regular expressions in RE2's syntax."
    )
    content: Literal["keep", "drop"] = Field(
        "keep", description="`drop`: of texts nothing is kept; numbers, models, ids and times are."
    )
    keep: tuple[str, ...] = Field(
        (), description='Attributes that are left as they are, with `*` for any letters: `["app.*"]`.'
    )
    hash_user_ids: bool = Field(False, description="Keep a keyed hash of each user id instead of the id.")
    key_env: str = Field(
        "ASSAY_REDACTION_KEY", description="The environment variable that holds the key of hashes."
    )
    entities: tuple[str, ...] = Field(
        (), description='What Presidio is to find, such as `["PERSON"]`; needs `assay[pii]` and a model.'
    )
    language: str = Field("en", description="The language that Presidio reads.")


class RetentionSettings(Section):
    content_days: int = Field(
        0, ge=0, description="Days for which spans, records and texts are kept; 0 is for ever."
    )
    spans: bool = Field(
        True,
        description="Whether `content_days` removes spans and log records; off, `otel_traces` and "
        "`otel_logs` are left to their owner, such as an exporter with a `ttl`.",
    )
    facts_days: int = Field(
        0, ge=0, description="Days for which the facts and signals of each log are kept; 0 is for ever."
    )
    scores_days: int = Field(
        0, ge=0, description="Days for which scores, labels and selections are kept; 0 is for ever."
    )

    @model_validator(mode="after")
    def _content_goes_first(self) -> RetentionSettings:
        if self.facts_days and (not self.content_days or self.content_days > self.facts_days):
            raise ValueError("facts_days needs content_days, and no more of them: facts come from content")
        if self.scores_days and (not self.facts_days or self.facts_days > self.scores_days):
            raise ValueError("scores_days needs facts_days, and no more of them: logs would be judged again")
        return self


class ConversationSettings(Section):
    idle_minutes: float = Field(15.0, ge=0, description="A conversation is settled once idle for this long.")
    by_user: bool = Field(
        False,
        description="Join traces that name no conversation by their user and service. Off, each is one of "
        "its own: a user may be a machine, or ask two things at once.",
    )
    gap_minutes: float = Field(
        30.0, gt=0, description="With `by_user`: a longer pause between two traces parts conversations."
    )


class JudgeSettings(Section):
    base_url: str = Field("", description="Any OpenAI-compatible endpoint; empty means OpenAI's own.")
    api_key_env: str = Field("OPENAI_API_KEY", description="The environment variable that holds the key.")
    provider: str = Field("", description="A provider of your own instead, as `module:factory`.")
    concurrency: int = Field(8, ge=1, le=1024, description="Requests in flight.")
    timeout_s: float = Field(60.0, gt=0, description="For one request.")
    attempts: int = Field(5, ge=1, le=20, description="Tries of one request on 429, 5xx and time-outs.")
    budget_usd: float | None = Field(
        None, ge=0, description="The most one run may spend; none means no limit."
    )


class EmbeddingSettings(Section):
    embedder: str = Field(
        "auto",
        description="What turns requests into vectors: `static` (token vectors, with `assay[embeddings]`), "
        "`hashing` (spelling alone, built in), `auto` (the first of them that is installed), `endpoint` "
        "(any OpenAI-compatible one), one of your own as `module:factory`, or `off`.",
    )
    model: str = Field("", description="Of an endpoint: the model to ask for.")
    base_url: str = Field("", description="Of an endpoint: its address; empty means OpenAI's own.")
    api_key_env: str = Field("OPENAI_API_KEY", description="The environment variable that holds the key.")


class ReviewSettings(Section):
    label_usd: float | None = Field(
        None, ge=0, description="What one label by a person costs you, in US dollars: for plans."
    )


class PriceSettings(Section):
    input: float = Field(ge=0, description="US dollars per million input tokens.")
    output: float = Field(ge=0, description="US dollars per million output tokens, reasoning included.")
    cached: float | None = Field(
        None,
        ge=0,
        description="US dollars per million input tokens read from the provider's cache; as "
        "`input`, if not given.",
    )


class StratumSettings(Section):
    name: Name = Field(description="What reports call it.")
    when: str = Field(description="Which logs belong, in the filter language. The first match wins.")
    size: Size | None = Field(None, description="Expected number drawn a day.")
    rate: Rate | None = Field(None, description="Or the probability of being drawn.")
    label_size: Size | None = Field(None, description="Of those, expected number a day for people.")
    label_rate: Rate | None = Field(None, description="Or the probability of going to people.")


class GroupSettings(Section):
    name: Name = Field(description="What reports call it.")
    when: str = Field(description="Which logs belong, in the filter language. The first match wins.")


class PartSettings(Section):
    kind: PartKind = Field(
        description="`uniform`: every log alike. `importance`: by the chance that a log fails. `rare`: some "
        "of every small slice. `diverse`: spread over what users ask. `stratified`: groups of your own. "
        "`exhaustive`: every log of which `when` holds."
    )
    name: Name | None = Field(None, description="What reports call it: the kind, if not given.")
    share: Share | None = Field(
        None, description="Its part of the budget, against the other shares; 1 if not given."
    )
    when: str = Field("", description="`exhaustive`: which logs, in the filter language.")
    at_most: Size | None = Field(None, description="`exhaustive`: expected number a day, if they are more.")
    by: str | tuple[str, ...] = Field(
        "",
        description="`importance`: `failure` or `doubt`, how unsure the model is. `rare`: the fact or facts "
        'that make slices, such as `version` or `attr["tenant"]`.',
    )
    power: float = Field(
        1.0, ge=0.5, le=4, description="`importance`: above 1 the likely failures are preferred even more."
    )
    at_least: Size | None = Field(None, description="`rare`: expected number a day of each slice.")
    strata: tuple[GroupSettings, ...] = Field((), description="`stratified`: its groups.")
    rest: Name = Field("rest", description="`stratified`: what reports call the logs of no group.")
    allocation: Allocation = Field(
        "neyman",
        description="`stratified`: `proportional` to the number of logs, `equal`, or `neyman`, by number "
        "and by how much past scores differ.",
    )


class PolicySettings(Section):
    unit: Unit = Field("conversation", description="What is drawn: conversations or interactions.")
    size: Size | None = Field(None, description="Expected number drawn a day (of the rest, with strata).")
    rate: Rate | None = Field(None, description="Or the probability of being drawn.")
    label_size: Size | None = Field(None, description="Of those, expected number a day for people.")
    label_rate: Rate | None = Field(None, description="Or the probability of going to people.")
    where: str = Field("", description="Only logs of which this holds; the others count as filtered.")
    again: bool = Field(
        True, description="Whether a log whose facts come late may be drawn once more, for the difference."
    )
    strata: tuple[StratumSettings, ...] = Field((), description="Groups with a size or rate of their own.")
    budget: Size | None = Field(
        None, description="Instead of sizes and rates: expected number drawn a day, for all `parts` together."
    )
    label_budget: Size | None = Field(None, description="Of those, expected number a day for people.")
    draw: Literal["poisson", "systematic"] = Field(
        "poisson",
        description="With a budget. `poisson`: each log by itself, as soon as it is settled. `systematic`: a "
        "day's logs together once it is over, so that their number is fixed.",
    )
    metric: str = Field(
        "", description="Whose failures `importance` and `neyman` go by: the headline, if empty."
    )
    parts: tuple[PartSettings, ...] = Field((), description="The reasons to look at a log.")


class PrioritySettings(Section):
    level: Level = Field(description="high, medium or low.")
    when: str = Field(description="Which logs have it, in the filter language. The first match wins.")


class MetricSettings(Section):
    policy: str = Field("", description="The policy whose selections it scores: the first, if empty.")
    kind: Literal["human"] | None = Field(None, description="`human`: only people answer it; no code.")
    unit: Unit | None = Field(None, description="Of a human metric.")
    goal: Goal | None = Field(None, description="Of a human metric: which end of 0 to 1 is good.")
    target: str = Field("", description="Of a human metric: the failure it looks for.")
    budget_usd: float | None = Field(None, ge=0, description="The most one run of it may spend.")


class SignalSettings(Section):
    expression: str = Field("", description="When it is raised, in the filter language.")
    sql: str = Field("", description="Or: when it is raised, as one SQL expression over a log's facts.")
    unit: Unit = Field("interaction", description="What it is raised on.")
    severity: Severity = Field("medium", description="info, low, medium or high.")
    meaning: str = Field("", description="One line for people.")

    @model_validator(mode="after")
    def _is_said_once(self) -> SignalSettings:
        if bool(self.expression.strip()) == bool(self.sql.strip()):
            raise ValueError("a signal has an expression or sql, one of them")
        return self


class ThresholdSettings(Section):
    slow_ms: float = Field(20_000.0, gt=0, description="`signal.slow`: an answer took longer.")
    expensive_usd: float = Field(0.5, gt=0, description="`signal.expensive`: a log cost more.")
    many_tokens: int = Field(50_000, gt=0, description="`signal.many_tokens`: a log used more.")
    long_turns: int = Field(8, gt=1, description="`signal.long_conversation`: this many turns or more.")
    unusual_z: float = Field(
        4.0,
        gt=0,
        description="`signal.slow_for_route`, `signal.expensive_for_route`: so many robust standard "
        "deviations above what is usual, on a logarithmic scale.",
    )
    repeated_calls: int = Field(
        3, gt=1, description="`signal.tool_loop`: the same call was made so often for one answer."
    )
    unfamiliar: float = Field(
        0.5,
        gt=0,
        le=1,
        description="`signal.out_of_scope`: this part of a request's telling words, or more, is in no "
        "request of the reference set.",
    )


class ReferenceSettings(Section):
    file: str = Field(
        "",
        description="Requests that are in scope, beside assay.toml: JSON lines with `input`, as cases have, "
        "or a text file with one a line. `signal.out_of_scope` compares with them.",
    )


def _default_policies() -> dict[str, PolicySettings]:
    return {"daily": PolicySettings(size=200, label_size=30)}


class Settings(Section):
    """All of assay.toml, and where it was read from."""

    project: ProjectSettings = ProjectSettings()
    store: StoreSettings = StoreSettings()
    server: ServerSettings = ServerSettings()
    ingest: IngestSettings = IngestSettings()
    redaction: RedactionSettings = RedactionSettings()
    retention: RetentionSettings = RetentionSettings()
    conversation: ConversationSettings = ConversationSettings()
    judge: JudgeSettings = JudgeSettings()
    review: ReviewSettings = ReviewSettings()
    embeddings: EmbeddingSettings = EmbeddingSettings()
    thresholds: ThresholdSettings = ThresholdSettings()
    reference: ReferenceSettings = ReferenceSettings()
    prices: dict[str, PriceSettings] = Field(default_factory=dict)
    policies: dict[Name, PolicySettings] = Field(default_factory=_default_policies)
    priorities: tuple[PrioritySettings, ...] = ()
    metrics: dict[Name, MetricSettings] = Field(default_factory=dict)
    signals: dict[Name, SignalSettings] = Field(default_factory=dict)
    words: dict[ListName, tuple[Phrase, ...]] = Field(default_factory=dict)
    folder: Path = Field(default=Path(), exclude=True)
    file: Path | None = Field(default=None, exclude=True)
    api_key: str = Field(default="", exclude=True, repr=False)
    embedding_key: str = Field(default="", exclude=True, repr=False)
    redaction_key: str = Field(default="", exclude=True, repr=False)

    @property
    def telemetry_dsn(self) -> str:
        """The telemetry store's address: `chdb:///absolute/path` or `clickhouse://...`."""
        own = (self.folder / ".assay/telemetry").resolve()
        return self.store.telemetry or f"chdb://{quote(str(own))}"

    @property
    def state_url(self) -> str:
        """The state store's address; a relative SQLite path counts from assay.toml."""
        given = self.store.state or "sqlite:///.assay/state.db"
        if not given.startswith("sqlite:///"):
            return given
        return f"sqlite:///{(self.folder / given.removeprefix('sqlite:///')).resolve()}"

    @property
    def metrics_file(self) -> Path:
        return self.folder / self.project.metrics


def load_settings(path: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Read and check assay.toml. `ASSAY_TELEMETRY`, `ASSAY_STATE`, `ASSAY_HOST`, `ASSAY_PORT` and
    `ASSAY_GRPC_PORT` override their settings; keys are read from the variables that the file names.

    Raises ConfigError with file, key and value."""
    environ = os.environ if environ is None else environ
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist; `assay init` makes one") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} can't be read: {error}") from error
    for key in ("folder", "file", "api_key", "embedding_key", "redaction_key"):
        if key in tree:
            raise ConfigError(f"{path}: unknown key `{key}`")
    _override(tree, environ)
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(_explain(path, error)) from None
    keys = {
        "api_key": environ.get(settings.judge.api_key_env, ""),
        "embedding_key": environ.get(settings.embeddings.api_key_env, ""),
        "redaction_key": environ.get(settings.redaction.key_env, ""),
    }
    return settings.model_copy(update={"folder": path.resolve().parent, "file": path.resolve(), **keys})


def _override(tree: dict[str, Any], environ: Mapping[str, str]) -> None:
    for variable, section, key in (
        ("ASSAY_TELEMETRY", "store", "telemetry"),
        ("ASSAY_STATE", "store", "state"),
        ("ASSAY_HOST", "server", "host"),
        ("ASSAY_PORT", "server", "port"),
        ("ASSAY_GRPC_PORT", "server", "grpc_port"),
    ):
        if environ.get(variable):
            tree.setdefault(section, {})[key] = environ[variable]


def _explain(path: Path, error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"] if part != "[key]")
        if problem["type"] == "extra_forbidden":
            lines.append(f"  {key}: no such setting; docs/reference/settings.md lists them")
        else:
            lines.append(f"  {key}: {problem['msg']} (got {problem.get('input')!r})")
    return f"{path} has {len(lines)} wrong setting(s):\n" + "\n".join(lines)
