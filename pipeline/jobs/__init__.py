"""What is asked of the service for a recording: the rules, the request, and its end.

It may import `recordings`, `state`, `aws`, `config` and what is below them. Read `rules` first:
it takes the whole configuration, as it reads four of its sections, and keeps none of it.
"""
