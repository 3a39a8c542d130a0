"""What is known to be right: its record, its store, and its conversion for training tools.

It may import `tasks`, `transcripts`, `state` and what is below them. Read `record` first.
"""
