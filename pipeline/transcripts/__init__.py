"""The service's JSON becomes a `Transcript`: words, segments, speakers, channels. Pure.

It may import `model`, `errors`, `text` and the bounds of `net` alone. Read `parsing` first;
`schema` is the document as the service writes it.
"""
