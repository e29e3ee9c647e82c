"""Spans and what is computed from them, in ClickHouse's SQL: in process, on a server, on a cluster."""
