"""A run whose shards are tasks of a Ray cluster; optional, and loaded by `--engine ray` alone.

It may import all that `launch` may; `cli` alone imports it. Read `driver.py` first: what starts the
shards, waits for them and tells how they ended. `shard_task.py` is what a node does, `cluster.py`
the only door to Ray, and `merged.py` makes one summary of those of all shards. `work.py` is for
`plan --exact` and `quality`, `collectors.py` for `tasks rebuild`, which have nodes compute.
"""
