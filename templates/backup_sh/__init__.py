"""The checkpoint backup script's template and context."""
