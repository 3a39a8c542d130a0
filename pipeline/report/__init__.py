"""The report: what the state file remembers of one run, as one page of HTML.

night.py  reads ─► timeline.py  makes curves ─► charts.py  draws ─► page.py  puts together
"""
