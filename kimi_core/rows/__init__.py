"""The rows of the table of hosts, by who operates them. `kimi_core.hosts` puts them together."""
