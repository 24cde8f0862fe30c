"""The deployment script's template and context."""
