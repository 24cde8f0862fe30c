"""The generated server's template and context."""
