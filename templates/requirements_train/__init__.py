"""The requirements of the generated training script."""
