"""Measurements against the promises, each beside a named peer in the same run: ratios hold where machines are noisy."""
