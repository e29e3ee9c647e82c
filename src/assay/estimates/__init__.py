"""How are we doing overall, day by day, and where should we focus? From ledgers to records.

ledger   a ledger's columns as the arrays that `stats` takes
metric   one metric over one set of logs: `estimate_metric`
trend    the same for each day: `estimate_days`
focus    signals and slices where failures concentrate: `find_focus`
report   the parts, put together: `metric_report`, `build_report`
wording  an estimate in words, with no more digits than its interval supports
"""
