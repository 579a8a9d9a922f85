"""GGUF files, read once and written down as a folder that transformers reads like any other.

1. ``header`` reads what a file says of itself: its metadata, and where its tensors lie.
2. ``families`` makes a config of the metadata, and refuses by name whatever it has no place for.
3. ``tensors`` names and lays out the tensors as transformers does; ``tokenizer`` makes one.
4. ``folder`` writes it all down, the numbers unpacked.

transformers reads GGUF files too, but passes over metadata that changes the computation: a rotary
scaling, a base of its frequencies, a cap on logits. Here each key is honoured or refused.
"""
