"""Messages and stubs generated from protos/ by protos/generate.py. Never edited."""
