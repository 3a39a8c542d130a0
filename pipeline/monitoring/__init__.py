"""Who looks at a run: progress, metrics, heartbeat, history, summary and status.

A run is looked at through one snapshot, and so are its samples and its summary made; status reads
the state file alone. It may import `run`, `stages` and what is below them. Read `snapshot` first.
"""
