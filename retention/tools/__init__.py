"""The memory as other people's software takes it: stores, a retriever, tools; each loads what it is for on use."""
