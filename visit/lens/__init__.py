"""Vectors read in the model's vocabulary: the projector, readings, and the atlas of static ones."""
