"""Custom vocabularies: the table, its character sets, and their life at the service.

It may import `aws`, `config`, `net` and what is below them. Read `table` first.
"""
