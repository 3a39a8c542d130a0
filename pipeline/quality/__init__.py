"""How good a transcript was: error rates, their intervals, calibration, and what was missed.

It may import `ground_truth`, `html`, `vocabulary` and what is below them. Read `metrics` first.
"""
