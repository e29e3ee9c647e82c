"""Bytes in, Arrow out: OTLP requests and files become tables of spans, labels and scores."""
