"""What parts cause: a pass without them, predictions against measurements, and patching."""
