"""What logs mean, beside each other."""

from __future__ import annotations

from dataclasses import dataclass

from assay.records.log import Unit
from assay.records.page import LogRow


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedReport:
    """What one pass has embedded. `waiting`: there is more to do; `generation` is that of the cells that
    were fitted in it, 0 where none were. `model` is empty where embeddings are off."""

    model: str
    embedded: int = 0
    waiting: bool = False
    generation: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A log that asks for much the same. `similarity` is the cosine of the two requests' vectors;
    `alike` counts the logs that say the same, this one among them."""

    log: LogRow
    similarity: float
    alike: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbourhood:
    """The logs nearest in meaning, nearest first; where there are none, `reason` says why."""

    unit: Unit
    log_id: str
    model: str
    rows: tuple[Neighbour, ...] = ()
    reason: str = ""
