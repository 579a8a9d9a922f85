"""The app: draws a FlowGraph in the browser. Plain types in, no tensor anywhere."""
