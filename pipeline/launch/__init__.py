"""What a command needs to start its work: services, and a run or a `clean` to its end.

It may import everything but `cli`. Read `run.py` first: from the settings to the summary.
`on_s3.py` brings what a command needs of an output on S3; `transcripts.py`, `search.py` and
`training.py` read what runs have written; `rebuild.py` and `trial.py` make a run's settings of
others; `on_ray/` spreads work over a Ray cluster.
"""
