"""Meta-training: policies that learn on a family of tasks to use a memory, and are frozen when they use it."""
