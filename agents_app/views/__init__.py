"""Pages of agents, of the prompts library and of tools."""
