"""The service's JSON becomes a `Transcript`: words, segments, speakers, channels. Pure.

It may import `model`, `errors`, `failures`, `text`, the metadata of `config` and the bounds of
`net` alone. Read `parsing` first; `schema` is the document as the service writes it. `render` makes
a transcript the content of a file: text, subtitles (`captions`, `subtitles`), Praat, tables.
"""
