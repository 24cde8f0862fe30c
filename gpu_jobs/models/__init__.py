"""Training code: network architectures and their builders."""
