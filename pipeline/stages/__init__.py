"""The run: producer, starters, poller, listener, collectors and writer, and what they share.

A stage hands on through a queue or the state file, and knows no other stage. It may import `jobs`,
`tasks`, `recordings`, `state` and what is below them. Read `run.py` first, then `job_tracker`.
"""
