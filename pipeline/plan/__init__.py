"""What a run would do: its recordings, hours, cost and night, with nothing started.

Read `survey.py` first.
"""
