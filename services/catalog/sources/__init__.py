"""Where a model's files come from; each module is one kind of source."""
