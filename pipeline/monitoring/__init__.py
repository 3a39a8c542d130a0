"""Who looks at a run: progress, metrics, heartbeat, summary and status.

All of them read one snapshot of the run. It may import `run`, `stages` and what is below them. Read
`summary` first.
"""
