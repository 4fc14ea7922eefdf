"""AI terminals that speak the terminal protocol (`docs/terminal-agent.md`): both its ends."""
