"""Training code: reading tables, profiling, splitting, rows to arrays. Imports only training code."""
