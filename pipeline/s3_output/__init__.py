"""An output on S3: tasks in sealed parts, so that a run outlives its machine.

It may import `monitoring`, `plan` and what stands below them; `launch` and `cli` alone import it,
and only for an output on S3, so that a run whose output is a file loads none of it. Read
`sealed_output.py` first: how local lines become a part that never changes. `open_part.py` is the
local file, `layout.py` says what lies where in the bucket, and `shard_source.py` takes one run's
share of a source. `claim.py` makes sure that one output is of one
source; `checkpoint.py` keeps a copy of the state file there, which may be lost. `shares.py` says
how runs that know of each other divide an account, `beats.py` how they hear of each other,
`beside.py` beside which others one may not begin, and `lanes.py` which of several accounts a shard
is of.
"""
