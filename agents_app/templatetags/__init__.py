"""Tags of the templates of agents and of what they know."""
