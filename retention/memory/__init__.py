"""The episodic memory: what an agent keeps between episodes and processes, in one SQLite file."""
