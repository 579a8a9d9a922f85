"""The prompts of studies: read from files, filled into templates, or made here."""

from visit.studies.prompts.bundled import BUNDLED, Bundled
from visit.studies.prompts.source import Prompts, read_source
from visit.studies.prompts.targets import spaced_target

__all__ = ["BUNDLED", "Bundled", "Prompts", "read_source", "spaced_target"]
