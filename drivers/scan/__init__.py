"""Looking at every port of the host: who it is, who has it, what answers on it."""
