"""The model card's template and context."""
