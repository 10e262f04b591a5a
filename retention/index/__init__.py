"""Tables of vectors that are searched by inner product: dense, scanned and trained."""
