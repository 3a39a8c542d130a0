"""The state file: the queue between producer and starters, and the checkpoint.

Every SQL statement stands here, and nowhere else is sqlite3 imported. A `Database` is held by what
each part of the file is about: `Facts`, `Recordings`, `Failures`, `History`, `Statistics`,
`OutputState`, `Cleanup`. It may import what stands at the top of the package. Read `run_state`
first, then `schema`; `reader` is what works beside a run.
"""
