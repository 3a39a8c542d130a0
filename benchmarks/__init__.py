"""What the pipeline costs in time, calls and memory, measured against the alternatives.

`python -m benchmarks` runs all of it; README.md in this folder says what each part measures.
"""
