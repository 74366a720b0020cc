"""The edge: what comes in is authenticated, capped, kept, and turned into facts."""
