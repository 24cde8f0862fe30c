"""The supervisor: one process per state folder that keeps named deployments answering. It decides nothing."""
