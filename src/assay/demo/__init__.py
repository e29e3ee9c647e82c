"""A simulated application, its users, a judge and reviewers, so that assay can be tried without any.

Everything is a function of (seed, day, index): nothing is stored, and the hidden truth of a
conversation can be computed again from its id alone."""
