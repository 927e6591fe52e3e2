"""How pods come in: files, and synthetic fleets."""
