"""What archetypes of manipulation share: reading a record, conditions, scripts of experts."""
