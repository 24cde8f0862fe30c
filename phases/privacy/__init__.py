"""What may leave through a door: an allow-list per thing that is told. Pure functions; they read and write nothing."""
