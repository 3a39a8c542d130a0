"""Pages as HTML: their frame, style and charts. It may import `text` alone."""
