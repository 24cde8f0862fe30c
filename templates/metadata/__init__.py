"""model-metadata.json."""
