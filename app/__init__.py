"""Composition root: settings, wiring, the command line and the doctor. Nothing below imports it."""
