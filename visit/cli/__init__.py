"""The command line: ``visit trace``, ``serve``, ``show``, ``export``, ``models``, ``atlas``."""

INTERRUPTED = 130
"""The exit code of a program that Ctrl + C ended."""
