"""The simulated world as OTLP requests, in the order in which they would arrive.

Most conversations speak OpenTelemetry's GenAI conventions; those of the second model speak
OpenInference. Three in ten traces come children first, some roots come one request late, one span in
a hundred is sent again, and feedback follows in a later request (at the end of a day in the same)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from assay.demo import genai, openinference, wire
from assay.demo.ids import SpanIds, span_ids
from assay.demo.script import Conversation
from assay.demo.story import SECOND_MODEL
from assay.demo.world import World

SPANS_PER_REQUEST = 4_000
"""Exporters send 512; larger requests make the demo's two weeks arrive sooner."""


class Request(NamedTuple):
    """One body for `/v1/traces`. `conversations` and `interactions` are those that begin here;
    `spans` counts what the body holds, spans sent again among them."""

    body: bytes
    day: date
    spans: int
    interactions: int
    conversations: int


class _Batch:
    """Spans on their way: `now` leaves with the next request, `later` with the one after it."""

    def __init__(self) -> None:
        self.genai: list[bytes] = []
        self.openinference: list[bytes] = []
        self.later: list[tuple[bool, bytes]] = []
        self.interactions = self.conversations = 0

    @property
    def size(self) -> int:
        return len(self.genai) + len(self.openinference)

    def leave(self, day: date, resource: bytes) -> Request:
        scopes = (
            wire.scope_spans(*scope, spans)
            for scope, spans in ((genai.SCOPE, self.genai), (openinference.SCOPE, self.openinference))
            if spans
        )
        body = wire.request(resource, scopes)
        sent = Request(body, day, self.size, self.interactions, self.conversations)
        self.genai, self.openinference = [], []
        self.interactions = self.conversations = 0
        self.catch_up()
        return sent

    def catch_up(self) -> None:
        """Let what was to come later come now."""
        for first, span in self.later:
            (self.genai if first else self.openinference).append(span)
        self.later = []


def requests(world: World, spans_per_request: int = SPANS_PER_REQUEST) -> Iterator[Request]:
    """All requests of the world, day by day, each of about this many spans."""
    batch = _Batch()
    for position, day in enumerate(world.dates):
        resource = b""
        for conversation in world.conversations(position):
            resource = resource or _resource(conversation.truth.version)
            _load(batch, conversation)
            if batch.size >= spans_per_request:
                yield batch.leave(day, resource)
        batch.catch_up()
        if batch.size:
            yield batch.leave(day, resource)


def _resource(version: str) -> bytes:
    return wire.resource(
        {
            "service.name": "support-assistant",
            "service.version": version,
            "deployment.environment.name": "production",
        }
    )


def _load(batch: _Batch, conversation: Conversation) -> None:
    first = conversation.truth.model != SECOND_MODEL
    into = batch.genai if first else batch.openinference
    batch.conversations += 1
    batch.interactions += len(conversation.exchanges)
    ids = None
    for ids, spans in _encode(conversation, first):
        if ids.chance % 10 < 3:
            spans.reverse()
        if ids.chance == 255:  # not reversed: its root comes late
            batch.later.append((first, spans.pop(0)))
        elif ids.chance >= 249:  # 6 of 256 traces, hence about one span in a hundred
            batch.later.append((first, spans[0]))
        into.extend(spans)
    if ids is not None and conversation.feedback_ns and conversation.truth.feedback is not None:
        encode = genai.encode_feedback if first else openinference.encode_feedback
        batch.later.append((first, encode(ids, conversation.feedback_ns, conversation.truth.feedback)))


def _encode(conversation: Conversation, first: bool) -> Iterator[tuple[SpanIds, list[bytes]]]:
    """Each exchange's spans, root first; every model call repeats what was said before it."""
    truth = conversation.truth
    json_history, pairs = "", list[tuple[str, str]]()
    for turn, exchange in enumerate(conversation.exchanges):
        ids = span_ids(truth.conversation_id, turn)
        if first:
            yield ids, genai.encode_exchange(truth, exchange, ids, json_history)
            json_history += genai.message("user", exchange.user) + ","
            if exchange.answer:
                json_history += genai.message("assistant", exchange.answer) + ","
        else:
            yield ids, openinference.encode_exchange(truth, exchange, ids, pairs)
            pairs.append((exchange.user, exchange.answer))
