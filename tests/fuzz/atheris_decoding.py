"""The same laws under atheris, which looks for bodies that reach new code. `pip install atheris`, then

    python tests/fuzz/atheris_decoding.py CORPUS -max_total_time=600 -max_len=4096

from the root of the repository. CORPUS is a folder for what it finds worth keeping. The first byte of a
body says which kind it is.
"""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def _laws() -> tuple[Any, Any]:
    """The modules beside this one, by the names that the tests have for them."""
    for name in ("tests", "tests.fuzz"):
        package = sys.modules[name] = types.ModuleType(name)
        package.__path__ = [str(ROOT / name.replace(".", "/"))]
    return importlib.import_module("tests.fuzz.laws"), importlib.import_module("tests.fuzz.seeds")


def main() -> None:
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["assay"]):
        laws, seeds = _laws()
    made = seeds.made()
    good = {body.tree: body for body in made if not body.is_json}
    corpus = Path(sys.argv[1])
    corpus.mkdir(exist_ok=True)
    for i, body in enumerate(made):
        (corpus / f"seed-{i}").write_bytes(bytes((i,)) + body.raw)

    def one(raw: bytes) -> None:
        kind = made[raw[0] % len(made)] if raw else made[0]
        laws.check(kind._replace(raw=raw[1:]), good[kind.tree])

    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
