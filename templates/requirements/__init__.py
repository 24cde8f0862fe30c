"""The hashed requirements of the generated server."""
