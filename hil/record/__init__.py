"""The run folder: writer and reader."""
