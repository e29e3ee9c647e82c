"""Damaged bodies: read or refused, and never more.

The slow suite does it for a short while. For longer, or from another start:

    ASSAY_FUZZ_MINUTES=30 ASSAY_FUZZ_SEED=2 nice pytest tests/fuzz -m slow

A body that breaks a law is made smaller while it still breaks it, and written to `tests/fuzz/found`,
where the fast suite finds it from then on.
"""

from __future__ import annotations

import hashlib
import os
import time
import traceback
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from tests.fuzz.laws import Body, check
from tests.fuzz.mutation import damaged
from tests.fuzz.seeds import captured, made

from assay.errors import PayloadError

FOUND = Path(__file__).parent / "found"
SHARED = Path(__file__).resolve().parents[3] / "shared"
MADE = made()
GOOD = {body.tree: body for body in MADE if not body.is_json}


@pytest.mark.parametrize(
    "body", MADE, ids=lambda body: f"{body.tree}-{'json' if body.is_json else 'protobuf'}"
)
def test_sound_bodies_are_kept_whole(body: Body) -> None:
    fate = check(body, GOOD[body.tree])
    assert not isinstance(fate, PayloadError)
    assert (fate.items, fate.rejections, fate.is_sound) == (3, (), not body.is_json)


@pytest.mark.parametrize("path", sorted(FOUND.glob("*")), ids=lambda path: path.name)
def test_what_once_broke_a_law_does_so_no_more(path: Path) -> None:
    tree, raw = path.name.partition("-")[0], path.read_bytes()
    body = Body("logs" if tree == "logs" else "traces", raw, path.suffix == ".json")
    check(body, GOOD[body.tree])


def test_a_few_damaged_bodies() -> None:
    rng = Random(0)
    for seed in MADE * 60:
        check(seed._replace(raw=damaged(seed.raw, rng.choice(MADE).raw, rng)), GOOD[seed.tree])


@pytest.mark.slow
def test_many_damaged_bodies() -> None:
    minutes = float(os.environ.get("ASSAY_FUZZ_MINUTES", "0.5"))
    rng = Random(int(os.environ.get("ASSAY_FUZZ_SEED", "1")))
    seeds = MADE + captured(SHARED)
    fates, broken = Counter[str](), dict[str, str]()
    until = time.monotonic() + 60 * minutes
    while time.monotonic() < until:
        seed = rng.choice(seeds)
        body = seed._replace(raw=damaged(seed.raw, rng.choice(seeds).raw, rng))
        try:
            fate = check(body, GOOD[body.tree])
            fates[_named(body, fate)] += 1
        except Exception:
            why = traceback.format_exc(limit=-2)
            if why not in broken:
                broken[why] = _keep(_smaller(body))
    print(f"{sum(fates.values()):,} bodies: {dict(fates)}")
    assert not broken
    assert len(fates) >= 8  # each kind was read, was refused, ...


def _named(body: Body, fate: object) -> str:
    how = "refused" if isinstance(fate, PayloadError) else "taken"
    return f"{body.tree} {'json' if body.is_json else 'protobuf'} {how}"


def _breaks(body: Body) -> bool:
    try:
        check(body, GOOD[body.tree])
    except Exception:
        return True
    return False


def _smaller(body: Body) -> Body:
    step = len(body.raw) // 2
    while step:
        at = 0
        while at < len(body.raw):
            less = body._replace(raw=body.raw[:at] + body.raw[at + step :])
            if _breaks(less):
                body = less
            else:
                at += step
        step //= 2
    return body


def _keep(body: Body) -> str:
    FOUND.mkdir(exist_ok=True)
    digest = hashlib.sha256(body.raw).hexdigest()[:8]
    path = FOUND / f"{body.tree}-{digest}.{'json' if body.is_json else 'bin'}"
    path.write_bytes(body.raw)
    return path.name
