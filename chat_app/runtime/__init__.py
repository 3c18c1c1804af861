"""What a model is given for a turn. Reads and yields values, stores nothing."""
