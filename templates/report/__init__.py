"""The performance report's templates and context."""
