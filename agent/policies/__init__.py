"""What chooses actions: the protocol, the retention policy, and one that does nothing."""
