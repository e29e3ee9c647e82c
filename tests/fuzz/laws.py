"""What must hold of any body whatever."""

from __future__ import annotations

from functools import cache
from time import process_time
from typing import NamedTuple

import pyarrow as pa

from assay.errors import PayloadError
from assay.ingest.otlp import decode_logs, decode_traces
from assay.ingest.outline import Outline, outline
from assay.ingest.payload import Limits, Payload
from assay.ingest.rejection import Rejection, count_of
from assay.ingest.shapes import Tree

ALWAYS, NEVER = 0, 2**63
LIMITS = Limits(max_request_bytes=2**20, max_attribute_bytes=2_000, max_attributes=60, max_spans=500)
RECEIVED_NS = 1_760_000_000_123_456_789
HANGS_S = 5.0


class Body(NamedTuple):
    """A request as it may come."""

    tree: Tree
    raw: bytes
    is_json: bool

    def payload(self, received_ns: int = RECEIVED_NS) -> Payload:
        content_type = "application/json" if self.is_json else "application/x-protobuf"
        return Payload(kind=self.tree, body=self.raw, content_type=content_type, received_ns=received_ns)


def decode(
    bodies: list[Payload], columns_from: int, limits: Limits = LIMITS
) -> tuple[pa.Table, tuple[Rejection, ...]]:
    """The rows and the rejections of payloads of one kind."""
    return (decode_logs if bodies[0].kind == "logs" else decode_traces)(
        bodies, limits, columns_from=columns_from
    )


def check(body: Body, good: Body) -> Outline | PayloadError:
    """Raises AssertionError where a law is broken; any other exception breaks one, too."""
    begun = process_time()
    found: Outline | PayloadError
    try:
        found = outline(body.payload(), LIMITS)
    except PayloadError as error:
        found = error
    rows, rejections = decode([body.payload()], ALWAYS)
    rows.validate(full=True)
    plain, plain_rejections = decode([body.payload()], NEVER)
    assert rows.equals(plain), "as columns it reads otherwise than item by item"
    assert rejections == plain_rejections
    if isinstance(found, PayloadError):
        assert found.http_status in (400, 413)
        assert rejections == (Rejection(reason=str(found)),)
        assert not rows.num_rows
    else:
        assert rejections == found.rejections, "outline and decoding reject otherwise"
        assert rows.num_rows == found.items
        assert not (found.is_sound and count_of(rejections))
    _check_neighbours(body, good, rows)
    assert process_time() - begun < HANGS_S, "it takes too long"
    return found


def _check_neighbours(body: Body, good: Body, rows: pa.Table) -> None:
    together, _ = decode(
        [good.payload(RECEIVED_NS + 1), body.payload(), good.payload(RECEIVED_NS + 2)], ALWAYS
    )
    alone = [_alone(good, RECEIVED_NS + 1), rows, _alone(good, RECEIVED_NS + 2)]
    assert together.equals(pa.concat_tables(alone)), "neighbours are affected"


@cache
def _alone(good: Body, received_ns: int) -> pa.Table:
    return decode([good.payload(received_ns)], ALWAYS)[0]
