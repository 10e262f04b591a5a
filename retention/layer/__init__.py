"""The retention layer of arXiv 2501.09166: slots that a transformer reads beside self-attention, and writes."""
