"""What people start or look at: the local server, the probe of hosts, the command line."""
