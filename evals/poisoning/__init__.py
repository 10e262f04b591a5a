"""Attacks on the memory of an agent by what it is made to note, and how many of them are ever recalled."""
