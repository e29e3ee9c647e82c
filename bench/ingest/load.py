"""The traffic of the experiments: four spans a trace, children first, 2.3 kB a span on the wire.

Everything follows from a seed and the time at which the traffic ends. Attributes are encoded beforehand
and a span is put together from them in a few microseconds, so that making traffic costs nothing beside
taking it in. `python -m bench.ingest.load` reads it with the official library and says what it is like.
"""

from __future__ import annotations

import gzip
import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

PER_REQUEST: Final = 512
SPANS_A_TRACE: Final = 4
TRACES_A_SESSION: Final = 5
ERRORS: Final = 0.03
ATTRIBUTE_BYTES: Final = 2066
WORD: Final = "xylophone"
"""Stands in the question of one trace in 256: what text searches look for."""
PLAN: Final = "enterprise"
"""Stands in the metadata of one trace in 32: what attribute filters look for."""
SERVICE: Final = "bench"
SECOND: Final = 10**9
_BLOCKS: Final = 1024
_KINDS: Final = ("RETRIEVER", "TOOL", "LLM", "CHAIN")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Requests ready to be sent, and what a server that took them all must know.

    `errors` counts the traces that failed; `late` is a trace whose root travels alone in the last
    request, `late_output` what it answered. `sessions` are some session ids with their traces."""

    bodies: tuple[bytes, ...]
    spans: int
    traces: int
    errors: int
    late: str
    late_output: str
    late_session: str
    began_ns: int
    ended_ns: int
    sessions: Mapping[str, int]

    @property
    def size(self) -> int:
        return sum(map(len, self.bodies))


class Trace(NamedTuple):
    """One trace, its root last. Its id is the hex of 16 bytes."""

    trace_id: str
    spans: list[bytes]
    output: str
    session: str


def make_load(spans: int, *, seed: int = 1, days: float = 7.0, ended_ns: int | None = None) -> Load:
    """So many spans (a multiple of 4) over the days that end 20 minutes ago, or when told."""
    ended_ns = ended_ns or int(time.time() - 20 * 60) * SECOND
    began_ns = ended_ns - int(days * 86_400) * SECOND
    traces = spans // SPANS_A_TRACE
    rng, sessions, errors = random.Random(seed), Counter[str](), 0
    step_ns = (ended_ns - began_ns - 10 * SECOND) // traces
    encoded, late = [], Trace("", [], "", "")
    for number in range(traces):
        session, failed = (
            f"session-{seed}-{number // TRACES_A_SESSION}",
            rng.random() < ERRORS or number == traces - 2,
        )
        made = make_trace(rng, began_ns + step_ns * number, session, failed=failed)
        errors += failed
        sessions[session] += 1
        if number == traces // 2:
            late = made
        encoded.extend(made.spans[:-1] if number == traces // 2 else made.spans)
    bodies = [request(encoded[at : at + PER_REQUEST]) for at in range(0, len(encoded), PER_REQUEST)]
    return Load(
        bodies=(*bodies, request(late.spans[-1:])),
        spans=spans,
        traces=traces,
        errors=errors,
        late=late.trace_id,
        late_output=late.output,
        late_session=late.session,
        began_ns=began_ns,
        ended_ns=ended_ns,
        sessions=dict(sorted(sessions.items())[:: max(1, len(sessions) // 16)]),
    )


def make_trace(rng: random.Random, start_ns: int, session: str, *, failed: bool) -> Trace:
    """A retriever, a tool and a model call under a chain that carries the session; a failed one fails
    in its tool and its root."""
    trace, ids = rng.randbytes(16), [rng.randbytes(8) for _ in _KINDS]
    own = _pair("session.id", session) + _pair("user.id", f"user-{session[8:]}")
    spans, output = [], ""
    for number, kind in enumerate(_KINDS):
        block = _blocks()[kind][rng.randrange(_BLOCKS)]
        root = kind == "CHAIN"
        begun_ns = start_ns + (0 if root else (number + 1) * 100_000_000)
        took_ns = rng.randrange(1, 3 * SECOND) + (3 * SECOND if root else 0)
        spans.append(
            b"\x0a\x10%b\x12\x08%b" % (trace, ids[number])
            + (b"" if root else b"\x22\x08" + ids[3])
            + b"\x2a%c%b\x30\x01" % (len(kind), kind.encode())
            + b"\x39%b\x41%b" % (begun_ns.to_bytes(8, "little"), (begun_ns + took_ns).to_bytes(8, "little"))
            + block.attributes
            + (own if root else b"")
            + (_FAILED if failed and kind in ("TOOL", "CHAIN") else _OK)
        )
        output = block.output
    return Trace(trace.hex(), spans, output, session)


def request(spans: list[bytes]) -> bytes:
    """The body of one export request."""
    return _field(b"\x0a", _RESOURCE + _field(b"\x12", _SCOPE + b"".join(_field(b"\x12", s) for s in spans)))


def parse(body: bytes) -> ExportTraceServiceRequest:
    message: ExportTraceServiceRequest = ExportTraceServiceRequest.FromString(body)
    return message


def as_json(body: bytes) -> bytes:
    """The same request in OTLP/JSON, whose ids are hex."""
    tree: dict[str, Any] = MessageToDict(parse(body), use_integers_for_enums=True)
    message = parse(body)
    for group, told in zip(message.resource_spans, tree["resourceSpans"], strict=True):
        for scope, listed in zip(group.scope_spans, told["scopeSpans"], strict=True):
            for span, item in zip(scope.spans, listed["spans"], strict=True):
                item["traceId"], item["spanId"] = span.trace_id.hex(), span.span_id.hex()
                if span.parent_span_id:
                    item["parentSpanId"] = span.parent_span_id.hex()
    return json.dumps(tree, separators=(",", ":")).encode()


class _Block(NamedTuple):
    attributes: bytes
    output: str


_cache: dict[str, list[_Block]] = {}


def _blocks() -> dict[str, list[_Block]]:
    """Encoded attributes of spans, by kind; the same in every process."""
    if not _cache:
        rng = random.Random(20_261_126)
        words = ["".join(rng.choices("etaoinshrdlucmfwyp", k=rng.randint(2, 9))) for _ in range(350)]
        for kind in _KINDS:
            _cache[kind] = [_block(kind, number, rng, words) for number in range(_BLOCKS)]
    return _cache


def _block(kind: str, number: int, rng: random.Random, words: list[str]) -> _Block:
    """OpenInference attributes of one span, filled up with text to the size that was measured."""
    told = " ".join(rng.choices(words, k=400))
    question, answer, rest = told[:220], told[220:900], told[900:]
    if number % 256 == 3:
        question += f" {WORD}"
    plan = PLAN if number % 32 == 5 else ("free", "pro")[number % 2]
    flat: dict[str, str | int] = {
        "openinference.span.kind": kind,
        "graph.node.id": f"{kind.lower()}_{number % 9}",
    }
    flat |= {"input.mime_type": "text/plain", "output.mime_type": "text/plain"}
    if kind == "RETRIEVER":
        flat |= {"input.value": question}
        flat |= {f"retrieval.documents.{n}.document.content": rest[n * 400 : n * 400 + 400] for n in range(3)}
        flat |= {f"retrieval.documents.{n}.document.id": f"doc-{rng.randrange(500)}" for n in range(3)}
    elif kind == "TOOL":
        flat |= {"tool.name": f"lookup_{number % 7}", "tool.parameters": json.dumps({"query": question})}
        flat |= {"input.value": json.dumps({"query": question}), "output.value": answer}
    elif kind == "LLM":
        flat |= {"llm.model_name": f"gpt-5-{('mini', 'nano', 'large')[number % 3]}", "llm.provider": "openai"}
        flat |= {"llm.input_messages.0.message.role": "user", "llm.output_messages.0.message.content": answer}
        flat |= {"llm.input_messages.0.message.content": question}
        flat |= {"llm.output_messages.0.message.role": "assistant"}
        flat |= {"llm.system": "openai", "llm.token_count.prompt_details.cache_read": 0}
        flat |= {"llm.token_count.prompt": rng.randrange(50, 900)}
        flat |= {"llm.token_count.completion": rng.randrange(20, 400)}
    else:
        metadata = json.dumps({"plan": plan, "region": ("eu", "us", "apac")[number % 3]})
        flat |= {"metadata": metadata, "input.value": question, "output.value": answer}
    room = ATTRIBUTE_BYTES - sum(len(key) + len(str(value)) for key, value in flat.items())
    flat["llm.invocation_parameters" if kind == "LLM" else "note"] = rest[: max(1, room - 20)]
    return _Block(b"".join(_pair(key, value) for key, value in flat.items()), answer)


def _pair(key: str, value: str | int) -> bytes:
    held = AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)
    return _field(b"\x4a", KeyValue(key=key, value=held).SerializeToString())


def _field(tag: bytes, content: bytes) -> bytes:
    size, length = len(content), bytearray()
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    length.append(size)
    return tag + bytes(length) + content


_RESOURCE: Final = _field(
    b"\x0a",
    _field(
        b"\x0a",
        KeyValue(key="service.name", value=AnyValue(string_value=SERVICE)).SerializeToString(),
    ),
)
_SCOPE: Final = _field(b"\x0a", _field(b"\x0a", b"openinference.instrumentation.langchain"))
_OK: Final = _field(b"\x7a", b"\x18\x01")
_FAILED: Final = _field(b"\x7a", _field(b"\x12", b"the tool did not answer") + b"\x18\x02")


def live(seed: int) -> Iterator[tuple[Trace, str]]:
    """Endless traces of now, with their session."""
    rng, number = random.Random(seed), 0
    while True:
        session = f"session-live-{seed}-{number // TRACES_A_SESSION}"
        yield make_trace(rng, time.time_ns(), session, failed=rng.random() < ERRORS), session
        number += 1


def main() -> None:
    load = make_load(20_480)
    _ = _blocks()
    began = time.process_time()
    load = make_load(20_480)
    took_s = time.process_time() - began
    spans = [
        s for b in load.bodies for g in parse(b).resource_spans for sc in g.scope_spans for s in sc.spans
    ]
    held = sum(
        len(pair.key) + len(pair.value.string_value) + 8 * pair.value.HasField("int_value")
        for span in spans
        for pair in span.attributes
    )
    body = load.bodies[0]
    failed = len({span.trace_id for span in spans if span.status.code == 2})
    ids = {span.span_id for span in spans}
    assert len(ids) == len(spans) == load.spans
    assert failed == load.errors
    print(f"{load.spans:,} spans, {load.traces:,} traces ({load.errors} failed), {len(load.bodies)} requests")
    print(f"{load.size / load.spans:,.0f} B a span on the wire, {held / load.spans:,.0f} B of attributes")
    print(f"gzip (6) makes {len(body) / len(gzip.compress(body, 6)):.2f} times less of it")
    print(f"JSON {len(as_json(body)) / PER_REQUEST:,.0f} B a span")
    print(f"made in {took_s / load.spans * 1e6:.1f} µs a span")


if __name__ == "__main__":
    main()
