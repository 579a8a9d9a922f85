"""The tabs of a node's panel, a module each, and the waterfall that ledgers are drawn as."""
