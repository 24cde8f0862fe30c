"""Shared state in Redis: values, events, leases, the queue, checkpoints. No other package imports redis."""
