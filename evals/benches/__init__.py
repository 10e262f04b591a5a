"""Speed on this machine: one module for each bench."""
