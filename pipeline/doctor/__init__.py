"""Would a run go well? Each question is a line, asked beside the others and by trying.

    examine.py   read this first: the lines, their limits of time, what an error means
    finding.py   what a line says; pure
    amazon.py    the lines about AWS
    account.py   who the credentials are of, the clock, the quotas
    buckets.py   list, read and write, where the recordings are and where results go
    service.py   Transcribe's calls
    rights.py    what can't be tried without starting a job, asked of IAM
    named.py     what the settings name: vocabularies, filters, models, keys, a queue
    machine.py   output, state, disk
    reviewing.py Label Studio

Nothing is paid for: no job is started, and the one object written is removed again.
"""
