"""The state file: the queue between producer and starters, and the checkpoint.

Every SQL statement stands here, and nowhere else is sqlite3 imported. It may import what stands at
the top of the package. Read `run_state` first; `reader` is what works beside a run.
"""
