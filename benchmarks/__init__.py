"""Speed and size, measured beside a baseline in one run and written to RESULTS.md. Nothing here is a test."""
