"""One file per job kind: a thin function from a job to the training code. It holds no training logic itself."""
