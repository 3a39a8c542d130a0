"""The settings: one value that is handed down, and one loader that makes it.

It may import `net` and what stands at the top of the package below it. Read `schema` first: every
setting with its meaning, unit and bounds; then `loading`: flags, environment, file, defaults.
"""
