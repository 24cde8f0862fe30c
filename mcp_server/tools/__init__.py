"""The tools of a chat, a module per noun. Each translates one call into services and their answer into a reply."""
