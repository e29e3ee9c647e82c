"""The experiments on taking traces in, as sections of bench/RESULTS.md on standard output.

    python -m bench.peers setup --into FOLDER             once: Phoenix and MLflow, 2 GB
    python -m bench.ingest --peers FOLDER                 everything, the peers too: about 40 minutes
    python -m bench.ingest --reuse-peers                  assay now, the peers as last measured: 12 minutes
    python -m bench.ingest --reuse-peers --only taking,lag

What was measured of the peers is kept in bench/ingest/peers.json with its date and versions. Progress
goes to standard error. Processor time and the ratios are what to compare: the clock of a machine with
other work on it says little, and its load is printed."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench.ingest import crash, lag, probes, queries, targets
from bench.ingest.assay import Assay
from bench.ingest.load import make_load
from bench.ingest.mlflow import Mlflow
from bench.ingest.phoenix import Phoenix
from bench.ingest.system import System
from bench.ingest.taking import Taken, Variant, middle, take

KEPT: Final = Path(__file__).with_name("peers.json")
PARTS: Final = ("taking", "lag", "crash", "queries", "probes")
PEER_SPANS: Final = {"Phoenix": 5_120, "MLflow": 10_240}
SIZES: Final = (20_480, 102_400)
QUICK: Final = "\n[conversation]\nidle_minutes = 0\n\n[server]\nsettle_every_s = 1\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", type=Path, help="where bench.peers installed them: measure them too")
    parser.add_argument("--reuse-peers", action="store_true", help="show what was measured of them before")
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--without-assay", action="store_true", help="measure the peers alone")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=20, help="times that the server is killed")
    given = parser.parse_args()
    run = Run(given)
    print(f"Load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.")
    for part in given.only.split(","):
        say(part)
        print(getattr(run, part)(), flush=True)


class Run:
    """The experiments with what the command line asked for."""

    def __init__(self, given: argparse.Namespace) -> None:
        self._given = given
        self._peers: list[System] = []
        if given.peers:
            self._peers = [Phoenix(given.peers.resolve()), Mlflow(given.peers.resolve())]
        self._kept: dict[str, Any] = {}
        if KEPT.exists():
            self._kept = json.loads(KEPT.read_text(encoding="utf-8"))
        self._wanted = bool(given.peers) or given.reuse_peers

    def taking(self) -> str:
        plans: list[tuple[int, Variant]] = [(SIZES[0], "plain"), (SIZES[0], "gzip"), (SIZES[0], "json")]
        plans.append((SIZES[1], "plain"))
        ours: dict[tuple[int, Variant], list[Taken]] = {plan: [] for plan in plans}
        theirs: dict[str, list[Taken]] = {peer.name: [] for peer in self._peers}
        for repeat in range(self._given.repeats):  # interleaved: a change of the machine hits all alike
            for peer in self._peers:
                say(f"taking: {peer.name}, {repeat + 1} of {self._given.repeats}")
                theirs[peer.name].append(take(peer, make_load(PEER_SPANS[peer.name])))
            for spans, variant in plans if not self._given.without_assay else []:
                if variant == "json" and repeat:
                    continue
                say(f"taking: assay, {spans:,} {variant}, {repeat + 1} of {self._given.repeats}")
                ours[spans, variant].append(take(Assay(), make_load(spans), variant=variant))
        for name, runs in theirs.items():
            self._keep("taking", name, middle(runs))
        shown = [middle(runs) for runs in ours.values() if runs]
        text = (
            targets.taking(shown, self._peer("taking", "MLflow"), self._peer("taking", "Phoenix"))
            if shown
            else ""
        )
        threads = f"\n\nBy thread: {shown[-1]['threads']}" if shown else ""
        return f"## Durable, and queryable: A1, A2\n\n{text}{threads}\n{self._told('taking')}"

    def lag(self) -> str:
        if self._given.without_assay:
            return ""
        return f"## From acknowledged to queryable: A2\n\n{targets.lag(lag.watch_lag(Assay())._asdict())}\n"

    def crash(self) -> str:
        for peer in self._peers:
            say(f"crash: {peer.name}")
            self._keep("crash", peer.name, crash.kill_once(peer)._asdict())
        if self._given.without_assay:
            return ""
        kept = crash.kill_often(Assay(), self._given.rounds)._asdict()
        text = targets.crash(kept, self._all("crash"))
        return f"## Killed: A3\n\n{text}\n{self._told('crash')}"

    def queries(self) -> str:
        for peer in self._peers:
            say(f"queries: {peer.name}")
            found = queries.ask_all(peer, sent=PEER_SPANS[peer.name])
            self._keep("queries", peer.name, {name: list(told) for name, told in found.items()})
        answers = self._all("queries")
        if not self._given.without_assay:
            ours = queries.ask_all(Assay())
            answers = {"assay": {name: list(told) for name, told in ours.items()}, **answers}
        text = targets.queries(answers)
        title = "## Questions to 204,800 spans, ms idle / while ingesting (rows): A4"
        return f"{title}\n\n{text}\n{self._told('queries')}"

    def probes(self) -> str:
        for peer in self._peers:
            say(f"probes: {peer.name}")
            self._keep("probes", peer.name, {k: asdict(v) for k, v in probes.run_probes(peer).items()})
        found = self._all("probes")
        if not self._given.without_assay:
            ours = probes.run_probes(Assay(QUICK))
            found = {"assay": {name: asdict(outcome) for name, outcome in ours.items()}, **found}
        return f"## Probes: A6\n\n{targets.probes(found)}\n{self._told('probes')}"

    def _keep(self, part: str, name: str, tree: Any) -> None:
        versions = {peer.name: peer.version for peer in self._peers}
        told = {
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "version": versions[name],
            "load": os.getloadavg()[0],
        }
        self._kept.setdefault(part, {})[name] = {**told, "found": tree}
        KEPT.write_text(json.dumps(self._kept, indent=1, default=float) + "\n", encoding="utf-8")

    def _peer(self, part: str, name: str) -> Any:
        return self._all(part).get(name)

    def _all(self, part: str) -> dict[str, Any]:
        kept = self._kept.get(part, {}) if self._wanted else {}
        return {name: told["found"] for name, told in kept.items()}

    def _told(self, part: str) -> str:
        """When and what the peers' figures are of."""
        kept = self._kept.get(part, {}) if self._wanted else {}
        told = (
            f"{name} {one['version']} on {one['date']} (load {one['load']:.1f})" for name, one in kept.items()
        )
        return f"\nPeers: {', '.join(told)}.\n" if kept else ""


def say(text: str) -> None:
    print(f"... {datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
