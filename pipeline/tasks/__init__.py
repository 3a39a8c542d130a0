"""A recording and its transcript become a Label Studio task, and tasks become an export.

It may import `transcripts`, `state` and what is below them. Read `builder` first.
"""
