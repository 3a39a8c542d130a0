"""The review server: what is pushed to it, and what is pulled from it.

It may import `ground_truth`, `tasks`, `net`, `config` and what is below them. Read `push` first,
then `pull`.
"""
