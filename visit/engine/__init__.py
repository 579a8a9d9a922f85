"""How anything is asked of a model: questions, who answers them, progress, and the queue.

Plain: an engine may be in this process or elsewhere.
"""
