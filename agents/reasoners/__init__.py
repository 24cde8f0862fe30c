"""Who thinks for an agent: the protocol, and the rules that need no key. A reasoner never acts."""
