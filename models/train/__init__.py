"""How the networks of the zoo were made; needs the extra `train`."""
