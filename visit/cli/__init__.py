"""The command line: ``visit trace``, ``serve``, ``show``, ``export``, ``models``, ``atlas``."""
