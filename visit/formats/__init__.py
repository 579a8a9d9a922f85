"""A flow graph as text and files: the document, other programs' formats, the summary.

Plain. What can be written is listed once, in ``registry``.
"""
