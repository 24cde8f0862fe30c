"""The hook door and the sources and installers of editors. It must not import `mcp`."""
