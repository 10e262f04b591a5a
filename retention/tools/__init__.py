"""The memory as other people's software takes it: tools, stores, a retriever; each loads what it is for on use."""
