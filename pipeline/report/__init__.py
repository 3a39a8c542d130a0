"""The report: what the state file remembers of one run, as one page of HTML.

`run_record` reads, `timeline` makes curves of it, `plots` and `sentences` say it in figures and
words, `page` hands them to `templates/report.html`. It may import `monitoring`, `html` and what is
below them. Read `run_record` first.
"""
