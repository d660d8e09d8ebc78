"""Online debugging: requests that the console sends through the real gateway."""
