"""A queue that tells when jobs end: optional, and loaded by no run without `--events`.

It may import `aws`, `config`, `net` and what is below them. Read `queue` first; `setup` makes the
rule and the queue.
"""
