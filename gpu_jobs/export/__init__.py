"""Training code: ONNX export and its parity proof."""
