"""What people post to flows and lessons, parsed."""
