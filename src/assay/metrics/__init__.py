"""Ways to judge a log: code checks, LLM judges, and loading a team's own from a file."""
