"""What a command needs to start its work: services, and a run or a `clean` to its end.

It may import everything but `cli`. Read `run.py` first: from the settings to the summary.
"""
