"""Reports: runs against judgements and against each other, as one page, Markdown or JSON of the same content.

``sources`` reads what was given, ``gather`` makes the one value (``content.Report``) of it, three writers write it.
"""
