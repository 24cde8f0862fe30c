"""Training code: metrics with intervals, baselines, importance, calibration, robustness and plots."""
