"""Whole S3 buckets of recordings through Amazon Transcribe into Label Studio tasks.

Read `pipeline/run.py` first: it tells the story top to bottom.
"""

__version__ = "0.1.0"
