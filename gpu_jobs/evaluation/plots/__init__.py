"""Training code: figures for reports, as SVG that reads on light and dark pages. They draw results and compute none."""
