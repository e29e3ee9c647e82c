"""Sets made from others, to see how well a signal knows what it is for: imported, settled, read back."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import pyarrow.parquet as pq
from bench.sets import DATA, _run

FOUND = {"EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "IBAN_CODE"}
"""Kinds of personal data that `output_personal` looks for."""

TURNS = 150
"""Turns of each kind in the set of languages."""


def read_own(folder: Path, name: str, data: Path) -> list[dict[str, Any]]:
    """The rows of the set with what is true of each, and `signals`, `language`, `output_language`."""
    project, made = folder / f"own-{name}", folder / f"own-{name}.json"
    if not made.exists():
        project.mkdir(parents=True, exist_ok=True)
        rows, reference = OWN[name](data)
        (project / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
        asked = [{"id": row["id"], "input": row["input"], "output": row["output"]} for row in rows]
        _lines(project / "asked.jsonl", asked)
        if not (project / "assay.toml").exists():
            _run(project, "-m", "assay.cli", "init", ".")
        if reference:
            _lines(project / "reference.jsonl", [{"input": text} for text in reference])
            with (project / "assay.toml").open("a", encoding="utf-8") as settings:
                settings.write('\n[reference]\nfile = "reference.jsonl"\n')
        _run(project, "-m", "assay.cli", "import", "asked.jsonl")
        _run(folder, "-m", "bench.own_sets", str(folder), name)
    found: list[dict[str, Any]] = json.loads(made.read_text(encoding="utf-8"))
    return found


def extract(folder: Path, name: str) -> None:
    """Read back what was raised, in a process of its own: it opens the set's store."""
    from assay.store.telemetry.connection import open_telemetry

    project = folder / f"own-{name}"
    store = open_telemetry(f"chdb://{(project / '.assay' / 'telemetry').resolve()}")
    rows = store.query(
        "SELECT log_id, signals, language, output_language FROM signals FINAL WHERE unit = 'conversation'"
    ).to_pylist()
    store.close()
    told = {row.pop("log_id"): row for row in rows}
    truth = json.loads((project / "rows.json").read_text(encoding="utf-8"))
    joined = [{**row, **told[row["id"]]} for row in truth]
    (folder / f"own-{name}.json").write_text(json.dumps(joined), encoding="utf-8")


def _scope(data: Path) -> tuple[list[dict[str, Any]], list[str]]:
    rows = pq.read_table(data / "clinc150" / "clinc150.parquet").to_pylist()
    kept = [row for row in rows if row["label"] == 0 and crc32(row["id"].encode()) % 2]
    ids = {row["id"] for row in kept}
    tested = [
        {"id": row["id"], "input": row["input"], "output": "ok", "outside": bool(row["label"])}
        for row in rows
        if row["id"] not in ids
    ]
    return tested, [row["input"] for row in kept]


def _personal(data: Path) -> tuple[list[dict[str, Any]], list[str]]:
    made = []
    for row in pq.read_table(data / "pii_presidio" / "pii_presidio.parquet").to_pylist():
        spans = json.loads(row["spans"]) if isinstance(row["spans"], str) else row["spans"] or []
        kinds = {span.get("entity_type") or span["type"] for span in spans}
        truth = bool(kinds & FOUND)
        made.append(
            {"id": row["id"], "input": "What do you know?", "output": row["input"], "personal": truth}
        )
    return made, []


def _languages(data: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Turns of at least three words of conversations in one language, each user's with an assistant's of the
    same and of the other language."""
    said: dict[tuple[str, str], dict[str, None]] = {}
    for row in pq.read_table(data / "tau2_multi" / "tau2_multi.parquet").to_pylist():
        language = json.loads(row["meta"])["lang"]
        for message in row["messages"]:
            text = message["content"] or ""
            if message["role"] in ("user", "assistant") and len(text.split()) >= 3 and "###" not in text:
                said.setdefault((language, message["role"]), {})[text] = None
    greetings = said["es", "assistant"].keys() & said["en", "assistant"].keys()
    turns = {kind: [text for text in texts if text not in greetings] for kind, texts in said.items()}
    made = []
    for number in range(min(TURNS, *(len(texts) for texts in turns.values()))):
        for asked in ("es", "en"):
            for answered in ("es", "en"):
                same = asked == answered
                made.append(
                    {
                        "id": f"{asked}-{answered}-{number}",
                        "input": turns[asked, "user"][number],
                        "output": turns[answered, "assistant"][number],
                        "asked_spanish": asked == "es" if same else None,
                        "asked_english": asked == "en" if same else None,
                        "crossed": not same,
                    }
                )
    return made, []


def _lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


OWN: dict[str, Callable[[Path], tuple[list[dict[str, Any]], list[str]]]] = {
    "scope": _scope,
    "personal": _personal,
    "languages": _languages,
}
"""By name, what makes the rows, and the requests of a reference set."""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("name", choices=OWN)
    parser.add_argument("--data", type=Path, default=DATA)
    given = parser.parse_args()
    extract(given.folder, given.name)
