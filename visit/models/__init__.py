"""A model made ready: found, read, its tokens, and its weights laid open in one orientation.

Tensors begin here.
"""
