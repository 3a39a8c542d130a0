"""What a run would do: its recordings, hours, cost and time, with nothing started.

It may import `stages` and what is below them. Read `planning` first.
"""
