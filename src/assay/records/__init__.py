"""The nouns of assay as frozen records. They know nothing of stores, files or the network."""

from assay.records.estimate import Estimate
from assay.records.facet import Breakdown, Exploration, Facet, FacetValue, Pick, TimeBar
from assay.records.ingest import (
    Arrival,
    ArrivalKind,
    AttributeKey,
    Feedback,
    IngestCount,
    IngestMinute,
    IngestStatus,
    RejectedReason,
    RejectedSpan,
)
from assay.records.keeping import Erased, ForgetReport, Removed, RetainReport
from assay.records.log import Evaluation, Log, ToolCall, Turn, Unit
from assay.records.meaning import EmbedReport, Neighbour, Neighbourhood
from assay.records.metric import Goal, MetricInfo, MetricKind
from assay.records.page import (
    ConversationPage,
    HourAccounting,
    HourPolicy,
    LogPage,
    LogRow,
    OpenMinute,
    OpenPage,
    OpenRow,
    PolicyBooks,
    Received,
    ScoreRow,
    Series,
    SeriesPoint,
    TurnRow,
)
from assay.records.policy import PolicyInfo
from assay.records.price import Price
from assay.records.priority import Level, PriorityCount
from assay.records.progress import Progress, no_progress
from assay.records.report import (
    Accounting,
    DayEstimate,
    FocusRow,
    MetricReport,
    PolicyAccounting,
    Report,
    Totals,
)
from assay.records.run import (
    ImportReport,
    RunReport,
    SampleReport,
    SettleReport,
    StratumCount,
)
from assay.records.saved import SavedFilter
from assay.records.score import Failure, Fate, Outcome, Score, Skip
from assay.records.selection import Selection, Stage
from assay.records.signal import EVENTS, Severity, Signal
from assay.records.upkeep import BackupReport, Check, CopiedTable, RemapDay, RemapReport, Verdict
from assay.records.window import Window

__all__ = [
    "EVENTS",
    "Accounting",
    "Arrival",
    "ArrivalKind",
    "AttributeKey",
    "BackupReport",
    "Breakdown",
    "Check",
    "ConversationPage",
    "CopiedTable",
    "DayEstimate",
    "EmbedReport",
    "Erased",
    "Estimate",
    "Evaluation",
    "Exploration",
    "Facet",
    "FacetValue",
    "Failure",
    "Fate",
    "Feedback",
    "FocusRow",
    "ForgetReport",
    "Goal",
    "HourAccounting",
    "HourPolicy",
    "ImportReport",
    "IngestCount",
    "IngestMinute",
    "IngestStatus",
    "Level",
    "Log",
    "LogPage",
    "LogRow",
    "MetricInfo",
    "MetricKind",
    "MetricReport",
    "Neighbour",
    "Neighbourhood",
    "OpenMinute",
    "OpenPage",
    "OpenRow",
    "Outcome",
    "Pick",
    "PolicyAccounting",
    "PolicyBooks",
    "PolicyInfo",
    "Price",
    "PriorityCount",
    "Progress",
    "Received",
    "RejectedReason",
    "RejectedSpan",
    "RemapDay",
    "RemapReport",
    "Removed",
    "Report",
    "RetainReport",
    "RunReport",
    "SampleReport",
    "SavedFilter",
    "Score",
    "ScoreRow",
    "Selection",
    "Series",
    "SeriesPoint",
    "SettleReport",
    "Severity",
    "Signal",
    "Skip",
    "Stage",
    "StratumCount",
    "TimeBar",
    "ToolCall",
    "Totals",
    "Turn",
    "TurnRow",
    "Unit",
    "Verdict",
    "Window",
    "no_progress",
]
