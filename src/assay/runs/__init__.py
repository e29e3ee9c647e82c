"""Running metrics over logs: every log ends with exactly one fate, and the books add up."""
