"""The door: how requests come in and answers go out. Nothing below this folder knows about HTTP or the clock."""
