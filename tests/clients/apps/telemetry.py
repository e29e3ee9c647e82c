"""The OpenTelemetry SDK as the applications of these tests set it up."""

from __future__ import annotations

import os

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from script import ASSAY

RESOURCE = Resource.create(
    {"service.name": "live", "service.version": "1.2", "deployment.environment.name": "test"}
)


def make_exporter() -> SpanExporter:
    if os.environ.get("APP_GRPC"):
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc

        return Grpc(endpoint=os.environ["APP_GRPC"], insecure=True)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint=f"{ASSAY}/v1/traces")


def make_provider() -> TracerProvider:
    """Small batches, so that a trace is split over requests and children come before their parents."""
    provider = TracerProvider(resource=RESOURCE)
    provider.add_span_processor(BatchSpanProcessor(make_exporter(), max_export_batch_size=4))
    return provider
