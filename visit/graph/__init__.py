"""What a flow graph is, and every rule about one: ids, kinds, types, and the walks over it.

Plain: nothing here knows a tensor, a model or a screen.
"""
