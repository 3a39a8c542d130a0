"""Pages of HTML: `page` renders a room's template in the one frame, `charts` is what plots show.

It may import `text` and `files` alone. The looks stand in `templates/`: `page.html` (the frame),
`parts.html` (sections, tables, plots) and `style.css`. Read `page` first.
"""
