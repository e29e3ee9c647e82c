"""The project that the demo measures: its assay.toml and metrics.py."""

from __future__ import annotations

from pathlib import Path

from assay.demo.story import MODEL, SECOND_MODEL

SETTINGS = """\
# The demo: two weeks of a simulated support assistant, {per_day:,} conversations a day.
# Everything it measures is made up, the judge too. `assay init` starts a project of your own.

[project]
name = "support-assistant"
metrics = "metrics.py"
headline = "resolved"

# Suspicious conversations are looked at more closely; because each has a known chance of being
# drawn, this does not bias the answer to "how are we doing overall?".
[policies.daily]
unit = "conversation"
size = {rest}              # of all others, a day, for the judge ...
label_size = {rest_labels}         # ... and of those for people
strata = [
  {{ name = "trouble", when = "{trouble}", size = {trouble_size}, label_size = {trouble_labels} }},
  {{ name = "unclear", when = "{unclear}", size = {unclear_size}, label_size = {unclear_labels} }},
]

[metrics.resolved]
policy = "daily"

[metrics.always_answers]
policy = "daily"

# A judge that makes its verdicts up, with known errors. For a real one: base_url and api_key_env.
[judge]
provider = "assay.demo.judge:provider"
concurrency = 16

[prices."{model}"]
input = 0.25
output = 2.00

[prices."{second_model}"]
input = 1.00
output = 5.00

[thresholds]
long_turns = 5
"""

METRICS = '''\
"""How the simulated support assistant is judged."""

import assay

resolved = assay.judge(
    "resolved",
    unit="conversation",
    model="gpt-5-mini",
    criteria="""
    Did the assistant do what the user came for?
    Pass: the user's request was completed or fully answered, or it was rightly declined or handed
    over to a colleague and the user knows what happens next.
    Fail: the request was left open, answered wrongly or in generalities, or the user had to give up
    or ask for a person in vain.
    """,
)


@assay.metric(unit="conversation")
def always_answers(log: assay.Log) -> bool:
    """Every request got a non-empty answer, and none ended in an error."""
    return all(turn.output.strip() and not turn.error for turn in log.turns)
'''

TROUBLE = "signal.negative_feedback or signal.asks_human or signal.error"
UNCLEAR = "signal.refusal or signal.repeats"


def write_project(folder: Path, *, per_day: int) -> Path:
    """Write assay.toml and metrics.py into `folder`, which is made if need be; the path of assay.toml.

    Sizes fit `per_day` conversations a day: 200 of them judged and 40 labelled, or fewer where
    that would be more than a good part of a stratum."""
    folder.mkdir(parents=True, exist_ok=True)
    text = SETTINGS.format(
        per_day=per_day,
        rest=_at_most(100, 0.4 * per_day),
        rest_labels=_at_most(18, 0.1 * per_day),
        trouble=TROUBLE,
        trouble_size=_at_most(60, 0.03 * per_day),
        trouble_labels=_at_most(14, 0.01 * per_day),
        unclear=UNCLEAR,
        unclear_size=_at_most(40, 0.03 * per_day),
        unclear_labels=_at_most(8, 0.01 * per_day),
        model=MODEL,
        second_model=SECOND_MODEL,
    )
    (folder / "assay.toml").write_text(text, encoding="utf-8")
    (folder / "metrics.py").write_text(METRICS, encoding="utf-8")
    return folder / "assay.toml"


def _at_most(size: int, share: float) -> int:
    return max(1, min(size, round(share)))
