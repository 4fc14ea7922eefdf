"""What any driver must keep, whoever wrote it: run against its device, emulated or real."""
