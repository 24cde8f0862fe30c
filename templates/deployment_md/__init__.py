"""The deployment guide's template and context."""
