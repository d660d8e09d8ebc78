"""Pages that join subjects."""
