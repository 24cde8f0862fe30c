"""The run's monitoring document: its template, context and golden."""
