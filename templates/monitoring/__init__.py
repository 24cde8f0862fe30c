"""Prometheus rules, scrape configuration and the monitoring document of a run."""
