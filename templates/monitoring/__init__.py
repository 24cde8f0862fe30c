"""Prometheus rules and scrape configuration of an endpoint."""
