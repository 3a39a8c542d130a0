"""What a run would do: its recordings, hours, cost and time, with nothing started.

Read `survey.py` first.
"""
