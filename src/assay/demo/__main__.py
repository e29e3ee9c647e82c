"""`python -m assay.demo`: two weeks of a simulated assistant, measured by the real commands."""

from __future__ import annotations

import argparse
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import NoReturn

from assay.demo.tour import Tour
from assay.demo.world import World
from assay.errors import AssayError


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; its exit code."""
    options = _options().parse_args(arguments)
    signal.signal(signal.SIGTERM, _end)
    try:
        world = World(
            seed=options.seed,
            days=options.days,
            per_day=options.per_day,
            last_day=(datetime.now(UTC) - timedelta(days=1)).date(),
        )
        Tour(world, options.folder.resolve(), port=options.port).run(serve=options.serve)
    except AssayError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """Leave as from an interrupt, so that the processes that were started end too."""
    raise SystemExit(128 + number)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m assay.demo", description=__doc__)
    parser.add_argument("--days", type=_count, default=14, help="how many days, the last one yesterday (14)")
    parser.add_argument("--per-day", type=_count, default=5000, help="conversations a day (5000)")
    parser.add_argument("--seed", type=int, default=1, help="another seed, another world (1)")
    parser.add_argument("--folder", type=Path, default=Path("demo"), help="where the project goes (./demo)")
    parser.add_argument("--port", type=int, default=0, help="where the pages are served (any free port)")
    parser.add_argument("--no-serve", dest="serve", action="store_false", help="end after the report")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, got {text}")
    return number


if __name__ == "__main__":
    raise SystemExit(main())
