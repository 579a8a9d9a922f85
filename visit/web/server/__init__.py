"""The server around the app: safety headers, uploads, traces under way."""
