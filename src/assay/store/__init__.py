"""Where things are kept. `telemetry`: spans and what follows from them, append-only, in ClickHouse's
SQL. `state`: what people decide, small and transactional. No SQL stands outside this room."""
