"""The MCP door: tools, addresses and prompts of a chat, translated into service calls. It decides nothing."""
