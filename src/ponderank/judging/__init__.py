"""Judging what was never judged: pool, a page to grade on, agreement, merging, and judgements with their provenance."""
