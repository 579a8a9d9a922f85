"""The studies that come with ``visit``."""
