"""The generated validation script's template and context."""
