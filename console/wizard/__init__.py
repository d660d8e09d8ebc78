"""The deploy wizard: steps with an address each, whose answers wait in the session."""
