"""The generated training script's template and context."""
