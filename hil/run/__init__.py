"""Campaign of episodes: what happens between the plan and the record."""
