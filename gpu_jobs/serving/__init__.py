"""Starting a generated server on loopback and measuring it. It generates nothing and trains nothing."""
