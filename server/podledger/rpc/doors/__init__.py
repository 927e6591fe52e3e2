"""Doors adapt a transport to `rpc.calls.Call`. They know the chain; nothing below knows them."""
