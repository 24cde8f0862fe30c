"""Kinds of places where processes run, one file each, behind one protocol. They know nothing of jobs or runs."""
