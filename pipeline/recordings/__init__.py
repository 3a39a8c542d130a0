"""What a source holds, and which of it is taken: buckets, folders, manifests and inventories.

It may import `aws`, `config`, `net` and what is below them. Read `source` first.
"""
