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

# What the team calls critical. The first rule that holds tells a conversation's priority.
[[priorities]]
level = "high"
when = "signal.negative_feedback or signal.empty_output"
[[priorities]]
level = "medium"
when = "signal.asks_human or signal.refusal or signal.repeats or signal.error"

# Suspicious conversations are looked at more closely; because each has a known chance of being
# drawn, this does not bias the answer to "how are we doing overall?".
[policies.daily]
unit = "conversation"
budget = {budget}              # conversations a day for the judge, for all reasons together ...
label_budget = {labels}         # ... and of those for people
parts = [
  {{ kind = "uniform", share = 0.3 }},          # every one alike: what nobody looks for is in there
  {{ kind = "importance", share = 0.6 }},       # the likelier it fails, the likelier it is drawn
  {{ kind = "diverse", share = 0.1 }},          # spread over all that users ask
  {{ kind = "rare", by = "version", at_least = {each} }},
  {{ kind = "exhaustive", when = 'priority = "high"', at_most = {critical} }},
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

# The demo's commands decide, a week at a time, so that the second is drawn by what was learned of the first.
[server]
sample = false
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


def write_project(folder: Path, *, per_day: int) -> Path:
    """Write assay.toml and metrics.py into `folder`, which is made if need be; the path of assay.toml.

    Budgets fit `per_day` conversations a day: 200 of them judged and 40 labelled, or fewer where that
    would be more than a good part of all."""
    folder.mkdir(parents=True, exist_ok=True)
    text = SETTINGS.format(
        per_day=per_day,
        budget=_at_most(200, 0.45 * per_day),
        labels=_at_most(40, 0.12 * per_day),
        each=_at_most(10, 0.03 * per_day),
        critical=_at_most(40, 0.05 * per_day),
        model=MODEL,
        second_model=SECOND_MODEL,
    )
    (folder / "assay.toml").write_text(text, encoding="utf-8")
    (folder / "metrics.py").write_text(METRICS, encoding="utf-8")
    return folder / "assay.toml"


def _at_most(size: int, share: float) -> int:
    return max(1, min(size, round(share)))
