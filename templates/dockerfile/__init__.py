"""The generated image's template and context."""
